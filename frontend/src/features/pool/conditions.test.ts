import { expect, it } from "vitest";
import type { Condition } from "../../api/types";
import { isAsHoped, lookOf } from "./conditions";

const told = (type: string, status: Condition["status"], reason = "") => ({ type, status, reason });

it.each([
  ["Ready", "True", "", "ok", true],
  ["Ready", "False", "", "warn", false],
  ["Drifted", "False", "", "ok", true],
  ["Drifted", "True", "", "warn", false],
  ["Progressing", "True", "", "info", false],
  ["Healthy", "Unknown", "", "none", false],
  ["Standby", "True", "Asleep", "none", true],
  ["Standby", "False", "Awake", "none", true],
  ["Standby", "False", "Waking", "info", false],
  ["Standby", "False", "FallingAsleep", "info", false],
  ["Standby", "Unknown", "StateUnread", "none", false],
] as const)("%s=%s %s is %s", (type, status, reason, tone, good) => {
  const condition = told(type, status, reason);
  expect([lookOf(condition).tone, isAsHoped(condition)]).toEqual([tone, good]);
});
