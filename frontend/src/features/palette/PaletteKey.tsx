import { lazy, Suspense, useEffect, useState } from "react";
import { Icon } from "../../ui/Icon";
import styles from "../shell/Shell.module.css";

const Palette = lazy(() => import("./Palette").then(({ Palette: component }) => ({ default: component })));

/** The button, and Ctrl-K (⌘K) from anywhere. */
export function PaletteKey() {
  const [open, setOpen] = useState(false);
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "k") return;
      event.preventDefault();
      setOpen((before) => !before);
    };
    document.addEventListener("keydown", press);
    return () => document.removeEventListener("keydown", press);
  }, []);

  return (
    <>
      <button type="button" className={styles.goto} aria-keyshortcuts="Control+K" onClick={() => setOpen(true)}>
        <Icon name="search" />
        <span>Go to</span>
        <kbd aria-hidden="true">Ctrl K</kbd>
      </button>
      {open && (
        <Suspense fallback={null}>
          <Palette onClose={() => setOpen(false)} />
        </Suspense>
      )}
    </>
  );
}
