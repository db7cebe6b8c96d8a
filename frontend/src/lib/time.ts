/** Moments as text. The browser's zone by default, UTC when the page asks for it. */

import { duration, UNKNOWN } from "./units";

export type Zone = "local" | "utc";

const MINUTE = 60_000;

function options(zone: Zone): Intl.DateTimeFormatOptions {
  return zone === "utc" ? { timeZone: "UTC" } : {};
}

/** ISO text or unix seconds to milliseconds; null for what is no moment. */
export function millis(moment: string | number | null | undefined): number | null {
  if (moment === null || moment === undefined) return null;
  const value = typeof moment === "number" ? moment * 1000 : Date.parse(moment);
  return Number.isFinite(value) ? value : null;
}

/** "14:03:10", for axes and tables of one day. */
export function clock(at: number, zone: Zone, withSeconds = true): string {
  return new Date(at).toLocaleTimeString("en-GB", {
    ...options(zone),
    hour: "2-digit",
    minute: "2-digit",
    second: withSeconds ? "2-digit" : undefined,
  });
}

/** "23 Nov", for axes of several days. */
export function day(at: number, zone: Zone): string {
  return new Date(at).toLocaleDateString("en-GB", { ...options(zone), day: "numeric", month: "short" });
}

/** "23 Nov 2026, 14:03:10 UTC": the whole truth, for tooltips. */
export function absolute(at: number, zone: Zone): string {
  return new Date(at).toLocaleString("en-GB", {
    ...options(zone),
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });
}

/** Age as its largest part: 42 s, 5 min, 3 h, 12 d. Clocks of browser and server may differ by a little: never negative. */
export function age(at: number | null, now: number): string {
  if (at === null) return UNKNOWN;
  const elapsed = Math.max(0, now - at);
  if (elapsed < MINUTE) return `${Math.floor(elapsed / 1000)} s`;
  const [first = ""] = duration(elapsed / 1000).split(/(?<=[a-z]) /);
  return first;
}

/** "Thursday, 26 November 2026". */
export function dayName(at: number, zone: Zone): string {
  return new Date(at).toLocaleDateString("en-GB", { ...options(zone), weekday: "long", day: "numeric", month: "long", year: "numeric" });
}

/** Items under the name of their day, in the order in which the days come. */
export function byDay<T>(items: readonly T[], moment: (item: T) => string, zone: Zone): { day: string; items: T[] }[] {
  const days = new Map<string, T[]>();
  for (const item of items) {
    const day = dayName(Date.parse(moment(item)), zone);
    days.set(day, [...(days.get(day) ?? []), item]);
  }
  return [...days].map(([day, held]) => ({ day, items: held }));
}
