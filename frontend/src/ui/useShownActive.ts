import { useEffect, useRef } from "react";

/** A row of links wider than the window is moved so that the active one is seen. Moves only the row, never the page. */
export function useShownActive<E extends HTMLElement>(at: string) {
  const row = useRef<E>(null);
  useEffect(() => {
    const active = row.current?.querySelector<HTMLElement>('[data-status="active"]');
    if (row.current === null || active == null) return;
    const { left, right } = active.getBoundingClientRect();
    const frame = row.current.getBoundingClientRect();
    if (left < frame.left || right > frame.right) row.current.scrollLeft += left - frame.left - (frame.width - (right - left)) / 2;
  }, [at]);
  return row;
}
