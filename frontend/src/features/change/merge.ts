/** Three-way merge of declarations: what I changed, on top of what somebody else changed meanwhile. Pure. */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface Edit {
  path: (string | number)[];
  /** undefined: it was taken out. */
  value: Json | undefined;
}

export interface Merge {
  /** To be made on theirs, so that it has mine too. */
  edits: Edit[];
  /** Places that both changed, to different values; mine is not among the edits. */
  conflicts: { path: (string | number)[]; mine: Json | undefined; theirs: Json | undefined }[];
}

type Mapping = { [key: string]: Json };

function isMapping(value: Json | undefined): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function same(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, at) => same(one, b[at]));
  if (!isMapping(a) || !isMapping(b)) return false;
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => same(a[key], b[key]));
}

/** Rows that all have a name are told apart by it, wherever they stand. */
function names(value: Json | undefined): string[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const found = value.map((row) => (isMapping(row) && typeof row.name === "string" ? row.name : undefined));
  return found.includes(undefined) || new Set(found).size !== found.length ? undefined : (found as string[]);
}

/** Rows of three lists can be merged one by one only where all three have the same names in the same order. */
function rowsAlike(base: Json | undefined, mine: Json | undefined, theirs: Json | undefined): boolean {
  const [a, b, c] = [names(base), names(mine), names(theirs)];
  return a !== undefined && b !== undefined && c !== undefined && same(a, b) && same(b, c);
}

export function merge(base: Json | undefined, mine: Json | undefined, theirs: Json | undefined, path: (string | number)[] = []): Merge {
  if (same(mine, base) || same(mine, theirs)) return { edits: [], conflicts: [] };
  const children: (string | number)[] | undefined =
    isMapping(base) && isMapping(mine) && isMapping(theirs)
      ? [...new Set([...Object.keys(base), ...Object.keys(mine), ...Object.keys(theirs)])]
      : rowsAlike(base, mine, theirs)
        ? (mine as Json[]).map((_, at) => at)
        : undefined;
  if (children === undefined) {
    return same(theirs, base) ? { edits: [{ path, value: mine }], conflicts: [] } : { edits: [], conflicts: [{ path, mine, theirs }] };
  }
  const at = (value: Json | undefined, key: string | number) => (value as Record<string | number, Json | undefined>)[key];
  const parts = children.map((key) => merge(at(base, key), at(mine, key), at(theirs, key), [...path, key]));
  return { edits: parts.flatMap(({ edits }) => edits), conflicts: parts.flatMap(({ conflicts }) => conflicts) };
}
