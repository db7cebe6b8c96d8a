/** The chosen theme: `system` follows the machine. Kept in this browser only; applied before paint by public/first.js. */

import { useSyncExternalStore } from "react";

export type Theme = "system" | "light" | "dark";

const STORE = "lamplight.theme";
const listeners = new Set<() => void>();

export function currentTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : "system";
}

export function chooseTheme(theme: Theme): void {
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  try {
    if (theme === "system") localStorage.removeItem(STORE);
    else localStorage.setItem(STORE, theme);
  } catch {
    // Storage may be forbidden; the choice then lasts until the page is closed.
  }
  for (const listener of listeners) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, currentTheme);
}

/** Calls back when the colours on the page changed, by choice or by the machine. Returns the way to stop. */
export function onColoursChange(listener: () => void): () => void {
  const media = ["(prefers-color-scheme: dark)", "(forced-colors: active)"].map((query) => matchMedia(query));
  for (const one of media) one.addEventListener("change", listener);
  listeners.add(listener);
  return () => {
    for (const one of media) one.removeEventListener("change", listener);
    listeners.delete(listener);
  };
}
