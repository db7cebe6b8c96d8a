/** What is told to those who hear the page: each line once, politely, whatever page it happened on. */

import { useSyncExternalStore } from "react";

export interface Line {
  id: number;
  text: string;
}

/** Long enough to be read out; then it goes, so that nobody finds old news by walking through the page. */
const KEPT_MS = 10_000;
const listeners = new Set<() => void>();
let lines: readonly Line[] = [];
let count = 0;

function set(next: readonly Line[]): void {
  lines = next;
  for (const listener of listeners) listener();
}

export function say(text: string): void {
  count += 1;
  const id = count;
  set([...lines, { id, text }]);
  setTimeout(() => set(lines.filter((line) => line.id !== id)), KEPT_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

export const useSaid = (): readonly Line[] => useSyncExternalStore(subscribe, () => lines);
