/** Axes of charts in which time is no axis. Pure. */

export interface Extent {
  low: number;
  high: number;
  isLog: boolean;
}

/** From `from` (default 0; logarithmic: from the smallest) to a little above the largest. */
export function extent(values: readonly number[], from = 0, isLog = false): Extent {
  const known = values.filter((value) => Number.isFinite(value) && (!isLog || value > 0));
  const top = known.length === 0 ? 1 : Math.max(...known);
  if (isLog) {
    const low = known.length === 0 ? 1 : Math.min(...known);
    return { low, high: top > low ? top : low * 2, isLog };
  }
  const low = Math.min(from, ...known);
  return { low, high: top > low ? low + (top - low) * 1.05 : low + 1, isLog };
}

/** About `count` round values within; of a logarithmic axis, evenly spread ones. */
export function ticks({ low, high, isLog }: Extent, count: number): number[] {
  if (isLog) return Array.from({ length: count }, (_, at) => low * (high / low) ** (at / (count - 1)));
  const rough = (high - low) / count;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = size * ([1, 2, 2.5, 5, 10].find((one) => one * size >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}
