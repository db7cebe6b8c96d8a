/** What the timeline shows, as the address says it. Pure. */

import type { TimelineFilter } from "../../api/queries";
import type { TimelineLine } from "../../api/types";

const text = (value: unknown) => (typeof value === "string" && value !== "" && value.length <= 50 ? value : undefined);

export function readTimelineFilter(search: Record<string, unknown>): TimelineFilter {
  const filter: TimelineFilter = {};
  for (const key of ["team", "kind", "name"] as const) {
    const value = text(search[key]);
    if (value !== undefined) filter[key] = value;
  }
  if (search.source === "change" || search.source === "event") filter.source = search.source;
  if (search.type === "Warning") filter.type = "Warning";
  return filter;
}

const ACTIONS: Record<string, string> = { create: "created", update: "changed", delete: "deleted" };
const TARGETS = "/targets/";

/** "changed Pool", "scaled Pool": what a person, or one of the control plane's own, did. */
export function deed({ title, kind, parts }: Pick<TimelineLine, "title" | "kind" | "parts">): string {
  const [only] = parts;
  if (only?.pointer === "/load") return only.before === null ? `sent a load to ${kind}` : `stopped the load of ${kind}`;
  if (only?.pointer.startsWith(TARGETS)) return `scaled ${kind}`;
  return `${ACTIONS[title] ?? title} ${kind}`;
}

/** "h200 2 → 3" of a change of replica targets, which is one line and no generation; undefined of any other change. */
export function moves({ parts }: Pick<TimelineLine, "parts">): string | undefined {
  if (parts.length === 0 || !parts.every(({ pointer }) => pointer.startsWith(TARGETS))) return undefined;
  return parts.map(({ pointer, before, after }) => `${pointer.slice(TARGETS.length)} ${shown(before)} → ${shown(after)}`).join(", ");
}

/** The generation that a change of a declaration led to; undefined where it led to none. */
export function ledTo({ title, generation, parts }: Pick<TimelineLine, "title" | "generation" | "parts">): number | undefined {
  const declares = parts.every(({ pointer }) => !/^\/(load|targets|tierPlan)(\/|$)/.test(pointer));
  return generation === null || title !== "update" || !declares ? undefined : generation;
}

/** A value of a declaration in one line. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  const words = typeof value === "string" ? value : JSON.stringify(value);
  return words.length > 120 ? `${words.slice(0, 117)}…` : words;
}
