/** From the server's series to what a chart draws. Pure. */

import type { Panel, PanelSeries, Threshold } from "../api/types";

export interface Columns {
  /** Unix seconds, ascending, without doubles. */
  times: number[];
  /** One array a series, as long as `times`; null where it has no value. */
  values: (number | null)[][];
}

export function columns(series: readonly PanelSeries[]): Columns {
  const times = [...new Set(series.flatMap(({ points }) => points.map(([time]) => time)))].toSorted((a, b) => a - b);
  const values = series.map(({ points }) => {
    const known = new Map(points);
    return times.map((time) => known.get(time) ?? null);
  });
  return { times, values };
}

/** Each series on top of those before it. A moment where none is known stays a gap; beside a known one, unknown adds nothing. */
export function stacked({ times, values }: Columns): Columns {
  const sums = times.map((_, at): number | null => (values.some((one) => one[at] != null) ? 0 : null));
  const layers = values.map((one) =>
    times.map((_, at) => {
      const below = sums[at] ?? null;
      if (below === null) return null;
      const sum = below + (one[at] ?? 0);
      sums[at] = sum;
      return sum;
    }),
  );
  return { times, values: layers };
}

export function latest(values: readonly (number | null)[]): number | null {
  return values.findLast((value) => value !== null) ?? null;
}

/** A threshold far above the data would flatten it to a line on the floor; then it is written at the top instead. */
const FAR = 6;
/** Room above the highest line, enough for a threshold's label. */
const HEADROOM = 1.15;

export interface Scale {
  /** Zero, or below the lowest value where something is overdrawn. */
  min: number;
  max: number;
  drawn: Threshold[];
  above: Threshold[];
  /** What rises above the axis: at how many moments, and how far at most. */
  cut?: { moments: number; most: number };
}

/** The price of a token has no bound while next to none is made: what costs so many times as much as the cheap quarter
 * of the time would flatten all the rest to a line on the floor. */
const DEAR = 8;

/** The highest value worth an axis, which shows the cheap quarter of each series and `DEAR` times it, and what rises above. */
function bounded(values: readonly (readonly (number | null)[])[], top: number): Pick<Scale, "cut"> & { top: number } {
  const limits = values.map((one) => {
    const known = one.filter((value) => value !== null && value > 0).toSorted((a, b) => (a ?? 0) - (b ?? 0));
    return (known[Math.floor(known.length / 4)] ?? 0) * DEAR;
  });
  const limit = Math.max(0, ...limits);
  if (top <= limit) return { top };
  const times = values[0] ?? [];
  const moments = times.filter((_, at) => values.some((one) => (one[at] ?? 0) > limit)).length;
  return { top: limit, cut: { moments, most: top } };
}

/** How far above what is counted an estimate may stretch the axis: so many times, and one more where little is counted. */
const STRETCH = 2;

/** The axis of counts beside an estimate of the same, which may be far off while little is known. */
function estimated(counts: number, guess: readonly (number | null)[], guessed: number): Pick<Scale, "cut"> & { top: number } {
  const limit = STRETCH * (counts + 1);
  if (guessed <= limit) return { top: Math.max(counts, guessed) };
  return { top: limit, cut: { moments: guess.filter((value) => (value ?? 0) > limit).length, most: guessed } };
}

const highestOf = (values: readonly (readonly (number | null)[])[]) =>
  values.reduce((most, one) => one.reduce<number>((max, value) => Math.max(max, value ?? 0), most), 0);

/** Where in its series a panel has an estimate; -1: nowhere. */
export function estimateOf({ estimate, series }: Pick<Panel, "estimate" | "series">): number {
  return estimate === undefined ? -1 : series.findIndex(({ key }) => key === estimate);
}

/** The y axis, from zero. `unit` "1" is a share: its axis never passes 100 %. `estimate`: which of the series is one. */
export function scale(values: readonly (readonly (number | null)[])[], thresholds: readonly Threshold[], unit: string, estimate = -1): Scale {
  const guess = values[estimate];
  const { top, cut } =
    guess !== undefined
      ? estimated(highestOf(values.toSpliced(estimate, 1)), guess, highestOf([guess]))
      : unit.endsWith("/Mtok")
        ? bounded(values, highestOf(values))
        : { top: highestOf(values), cut: undefined };
  const drawn = thresholds.filter(({ value }) => top === 0 || value <= top * FAR);
  const above = thresholds.filter((threshold) => !drawn.includes(threshold));
  const highest = drawn.reduce((max, { value }) => Math.max(max, value), top);
  const bottom = values.reduce((least, one) => one.reduce<number>((min, value) => Math.min(min, value ?? 0), least), 0);
  const min = bottom * HEADROOM;
  if (unit === "1") return { min, max: highest > 0.5 || highest === 0 ? 1 : highest * HEADROOM, drawn, above };
  if (unit === "requests" || unit === "replicas" || unit === "accelerators") return { min, max: Math.max(1, Math.ceil(highest * HEADROOM)), drawn, above, ...(cut && { cut }) };
  return { min, max: highest === 0 ? 1 : highest * HEADROOM, drawn, above, ...(cut && { cut }) };
}

/** Whether a series never has a value above zero. */
export function isNothing(values: readonly (number | null)[]): boolean {
  return values.every((value) => !value);
}
