/** What a pool's conditions look like: shape, colour, and whether they are as one hopes. Pure. */

import type { Condition } from "../../api/types";
import type { IconName } from "../../ui/Icon";
import type { Tone } from "../../ui/Status";

/** Good news when false. */
const GOOD_WHEN_FALSE = new Set(["Progressing", "Degraded", "Stalled", "Drifted", "Suspended"]);

type Told = Pick<Condition, "type" | "status" | "reason">;

/** Whether nobody needs to look: what is asleep as it should be, or awake because nothing is to sleep, is as it should be. */
export function isAsHoped({ type, status, reason }: Told): boolean {
  if (status === "Unknown") return false;
  if (type === "Standby") return status === "True" || reason === "Awake";
  return (status === "True") !== GOOD_WHEN_FALSE.has(type);
}

export function lookOf(condition: Told): { icon: IconName; tone: Tone } {
  const { type, status } = condition;
  if (status === "Unknown") return { icon: "question", tone: "none" };
  // neither sleeping nor being awake is a fault; on the way from one to the other is a change like any
  if (type === "Standby") return isAsHoped(condition) ? { icon: status === "True" ? "moon" : "minus", tone: "none" } : { icon: "half", tone: "info" };
  if (isAsHoped(condition)) return { icon: "check", tone: "ok" };
  return type === "Progressing" ? { icon: "half", tone: "info" } : { icon: "triangle", tone: "warn" };
}
