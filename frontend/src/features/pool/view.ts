/** The pool page's view as the address says it. Pure. */

import type { Zone } from "../../lib/time";

export const RANGES = { "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400 } as const;

export type Range = keyof typeof RANGES;

export const TABS = ["overview", "yaml"] as const;

export type Tab = (typeof TABS)[number];

export interface PoolView {
  range?: Range;
  tz?: "utc";
  tab?: Exclude<Tab, "overview">;
}

export const DEFAULT_RANGE: Range = "15m";

export function readPoolView(search: Record<string, unknown>): PoolView {
  const view: PoolView = {};
  const { range } = search;
  if (typeof range === "string" && Object.hasOwn(RANGES, range) && range !== DEFAULT_RANGE) view.range = range as Range;
  if (search.tz === "utc") view.tz = "utc";
  if (search.tab === "yaml") view.tab = "yaml";
  return view;
}

export function zoneOf(view: PoolView): Zone {
  return view.tz === "utc" ? "utc" : "local";
}
