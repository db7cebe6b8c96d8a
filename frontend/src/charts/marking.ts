/** Which marks share a place. Pure. */

/** Closer together than this share of the chart's width, they would lie on each other. */
const NEAR = 0.035;

/** Marks within the stretch in groups, newest first within each; the groups from left to right. */
export function gathered<T extends { time: number }>(marks: readonly T[], from: number, to: number): T[][] {
  const inside = marks.filter(({ time }) => time >= from && time <= to).toSorted((a, b) => a.time - b.time);
  const groups: T[][] = [];
  for (const mark of inside) {
    const last = groups.at(-1);
    const anchor = last?.[0];
    if (last !== undefined && anchor !== undefined && mark.time - anchor.time < NEAR * (to - from)) last.unshift(mark);
    else groups.push([mark]);
  }
  return groups;
}
