/** Which entries of the palette match what was typed, best first. Pure. */

export interface Entry {
  id: string;
  title: string;
  /** What kind of thing it is, or where it belongs. */
  group: string;
  /** Further words by which it is found. */
  words?: string;
}

/** 0: no match. Starts of the title count most, then starts of its words, then anything inside. */
function score({ title, group, words = "" }: Entry, typed: string): number {
  const name = title.toLowerCase();
  if (name.startsWith(typed)) return 4;
  if (name.split(/[\s/·-]+/).some((word) => word.startsWith(typed))) return 3;
  if (name.includes(typed)) return 2;
  return `${group} ${words}`.toLowerCase().includes(typed) ? 1 : 0;
}

/** Every typed word must match somewhere; of equals the given order stays. */
export function find<E extends Entry>(entries: readonly E[], query: string, most = 50): E[] {
  const typed = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (typed.length === 0) return entries.slice(0, most);
  return entries
    .map((entry) => ({ entry, scores: typed.map((word) => score(entry, word)) }))
    .filter(({ scores }) => scores.every((one) => one > 0))
    .map(({ entry, scores }) => ({ entry, sum: scores.reduce((sum, one) => sum + one, 0) }))
    .toSorted((a, b) => b.sum - a.sum)
    .slice(0, most)
    .map(({ entry }) => entry);
}
