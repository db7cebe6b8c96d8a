/** How high things were when they were last seen: what is loading can have the size of what comes. */

import { useEffect, useRef } from "react";

const STORE = "lamplight.heights";
/** The oldest are forgotten. */
const MOST = 300;
/** A table becomes cards there, which are several times as high. */
const NARROW = "(max-width: 45rem)";

let heights: Map<string, number> | undefined;

function known(): Map<string, number> {
  if (heights !== undefined) return heights;
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    const rows = Array.isArray(kept) ? kept.filter((row): row is [string, number] => Array.isArray(row) && typeof row[0] === "string" && Number.isFinite(row[1])) : [];
    heights = new Map(rows);
  } catch {
    // no storage here, or something else wrote there: every size is new
    heights = new Map();
  }
  addEventListener("pagehide", keep);
  return heights;
}

function keep(): void {
  try {
    localStorage.setItem(STORE, JSON.stringify([...known()].slice(-MOST)));
  } catch {
    // a full or forbidden storage costs a skeleton its size, nothing else
  }
}

/** CSS pixels; the newest goes to the end. */
function remember(key: string, height: number): void {
  known().delete(key);
  known().set(key, height);
}

/** What of this address was last so high; `name` is unique on its page. `isShown`: what is in the box now is what is to be remembered. */
export function useLastHeight<Box extends HTMLElement>(name: string, isShown: boolean) {
  const box = useRef<Box>(null);
  const key = `${location.pathname} ${typeof matchMedia === "function" && matchMedia(NARROW).matches ? "narrow" : "wide"} ${name}`;
  useEffect(() => {
    const place = box.current;
    if (!isShown || place === null || typeof ResizeObserver === "undefined") return undefined;
    const watch = new ResizeObserver(() => remember(key, place.offsetHeight));
    watch.observe(place);
    return () => watch.disconnect();
  }, [isShown, key]);
  return { box, last: known().get(key) };
}
