import { useLayoutEffect, useRef, type ReactNode } from "react";
import styles from "./Page.module.css";

interface Props {
  children: ReactNode;
  /** It came of something that is gone by now, such as a form that was sent. */
  takesFocus?: boolean;
}

/** Around what a button or a link opened further down: the focus goes there, and back to it when this closes. */
export function Opened({ children, takesFocus = false }: Props) {
  const around = useRef<HTMLDivElement>(null);
  const takes = useRef(takesFocus);
  useLayoutEffect(() => {
    const place = around.current;
    const opener = document.activeElement;
    // a page that begins with it has no opener
    const isOpened = opener instanceof HTMLElement && opener.matches("button, a");
    if (place === null || (!isOpened && !takes.current)) return undefined;
    const first = ["[role=group][tabindex]", "input"].map((what) => place.querySelector<HTMLElement>(what)).find((one) => one !== null);
    (first ?? place).focus();
    return () => {
      const isHere = place.contains(document.activeElement) || document.activeElement === document.body;
      if (isOpened && opener.isConnected && isHere) opener.focus();
    };
  }, []);
  return (
    <div ref={around} tabIndex={-1} className={styles.stack}>
      {children}
    </div>
  );
}
