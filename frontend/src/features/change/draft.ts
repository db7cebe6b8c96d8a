/** A draft is YAML text. The form reads and writes the same text, so that neither view loses what the other wrote. Pure. */

import { isMap, isSeq, parseDocument } from "yaml";
import type { Edit, Json } from "./merge";

/** undefined: the text is no YAML now; the form then waits until it is again. */
export function read(text: string): Json | undefined {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  return document.errors.length > 0 ? undefined : (document.toJS() as Json);
}

export function valueAt(value: Json | undefined, path: readonly (string | number)[]): Json | undefined {
  let found: Json | undefined = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string | number, Json | undefined>)[key];
  }
  return found;
}

/** The text with these places changed; comments, order and spelling of everything else stay. */
export function write(text: string, edits: readonly Edit[]): string {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  if (document.errors.length > 0) return text;
  for (const { path, value } of edits) {
    if (value === undefined) document.deleteIn(path);
    else document.setIn(path, document.createNode(value));
  }
  return document.toString({ lineWidth: 0, flowCollectionPadding: false });
}

/** The line (from 1) on which a JSON pointer's value stands, or its nearest ancestor that is there. */
export function lineOf(text: string, pointer: string): number {
  const document = parseDocument(text, { version: "1.2", schema: "core" });
  const keys = pointer.split("/").slice(1).map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  let node: unknown = document.contents;
  let offset = 0;
  for (const key of keys) {
    if (isMap(node)) {
      const pair = node.items.find(({ key: one }) => String(one) === key);
      if (pair === undefined) break;
      offset = (pair.key as { range?: [number] }).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(key)];
      if (item === undefined) break;
      offset = (item as { range?: [number] }).range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return text.slice(0, offset).split("\n").length;
}
