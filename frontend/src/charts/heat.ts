/** What a heatmap of latency buckets says: which rows are worth drawing, and each column in words. Pure. */

import type { Heatmap, PanelSeries } from "../api/types";
import { compact, format } from "../lib/units";

/** Rows from the first to the last bucket that ever held something: most of a dense grid is empty. */
export function shown({ buckets, columns }: Heatmap): { first: number; last: number } {
  const used = buckets.flatMap((_, at) => (columns.some(([, counts]) => (counts[at] ?? 0) > 0) ? [at] : []));
  return { first: used[0] ?? 0, last: used.at(-1) ?? -1 };
}

export function most({ columns }: Heatmap): number {
  return columns.reduce((top, [, counts]) => Math.max(top, ...counts), 0);
}

/** The bucket that holds this share of a column's observations; -1 where there were none. */
export function bucketAt(counts: readonly number[], share: number): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return -1;
  let sum = 0;
  return counts.findIndex((count) => (sum += count) >= share * total);
}

function edge(bucket: [number | null, number | null] | undefined): number | null {
  return bucket?.[1] ?? bucket?.[0] ?? null;
}

/** The heatmap as lines: half, and nearly all, of each moment's observations lie at or below. */
export function peaks(heatmap: Heatmap): PanelSeries[] {
  const line = (key: string, share: number): PanelSeries => ({
    key,
    label: key,
    points: heatmap.columns.map(([time, counts]) => [time, edge(heatmap.buckets[bucketAt(counts, share)])]),
  });
  return [line("p50", 0.5), line("p95", 0.95), line("p99", 0.99)];
}

export function inWords(heatmap: Heatmap, at: number | null, unit: string, moment: (time: number) => string): string {
  const column = heatmap.columns[at ?? heatmap.columns.length - 1];
  if (column === undefined) return "no columns";
  const [time, counts] = column;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return `${moment(time)}: nothing was measured`;
  const at95 = format(edge(heatmap.buckets[bucketAt(counts, 0.95)]), unit);
  const at50 = format(edge(heatmap.buckets[bucketAt(counts, 0.5)]), unit);
  return `${moment(time)}: ${compact(total)} measured, half within ${at50}, 95 % within ${at95}`;
}

const STEPS = [10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 2 * 86_400, 7 * 86_400];

/** Round moments within a stretch (unix seconds), at most six of them. */
export function roundMoments(from: number, to: number): number[] {
  const step = STEPS.find((one) => (to - from) / one <= 6) ?? 14 * 86_400;
  const first = Math.ceil(from / step) * step;
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, at) => first + at * step);
}
