/** The stretch of time that a page shows, as the address says it. Pure. */

import type { Zone } from "./time";

export const RANGES = { "15m": 900, "1h": 3600, "6h": 21_600, "24h": 86_400, "7d": 604_800 } as const;

export type Range = keyof typeof RANGES;

/** `from` and `to` (Unix seconds) stand for a stretch that does not move; else the page looks `range` back from now. */
export interface TimeView {
  range?: Range;
  from?: number;
  to?: number;
  tz?: "utc";
}

export const TIME_KEYS = ["range", "from", "to", "tz"] as const satisfies readonly (keyof TimeView)[];

export interface TimeWindow {
  from: number;
  to: number;
}

const SHORTEST = 60;
const LONGEST = 400 * 86_400;

function moment(value: unknown): number | undefined {
  const seconds = typeof value === "string" ? Number(value) : value;
  return typeof seconds === "number" && Number.isSafeInteger(seconds) && seconds > 0 ? seconds : undefined;
}

/** Words that make no sense are dropped, so that an old link still opens. */
export function readTimeView(search: Record<string, unknown>): TimeView {
  const view: TimeView = {};
  const [from, to] = [moment(search.from), moment(search.to)];
  if (from !== undefined && to !== undefined && to - from >= SHORTEST && to - from <= LONGEST) {
    view.from = from;
    view.to = to;
  } else if (typeof search.range === "string" && Object.hasOwn(RANGES, search.range)) {
    view.range = search.range as Range;
  }
  if (search.tz === "utc") view.tz = "utc";
  return view;
}

export function zoneOf(view: TimeView): Zone {
  return view.tz === "utc" ? "utc" : "local";
}

/** The stretch that stands still, if the address names one. */
export function fixedWindow({ from, to }: TimeView): TimeWindow | undefined {
  return from === undefined || to === undefined ? undefined : { from, to };
}

/** The stretch to ask for now; `now` in milliseconds. */
export function windowAt(view: TimeView, fallback: Range, now: number): TimeWindow {
  const to = Math.floor(now / 1000);
  return fixedWindow(view) ?? { from: to - RANGES[view.range ?? fallback], to };
}

const pad = (value: number) => String(value).padStart(2, "0");

/** Unix seconds as an `<input type="datetime-local">` wants them. */
export function toInput(at: number, zone: Zone): string {
  const date = new Date(at * 1000);
  if (zone === "utc") return date.toISOString().slice(0, 16);
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}T${pad(date.getHours())}:${pad(date.getMinutes())}`;
}

/** The other way; undefined for what is no moment. */
export function fromInput(text: string, zone: Zone): number | undefined {
  const at = Date.parse(zone === "utc" ? `${text}Z` : text);
  return Number.isNaN(at) ? undefined : Math.floor(at / 1000);
}
