import type { ReactNode } from "react";
import { useTitle } from "./useTitle";
import styles from "./Page.module.css";

/** A page's title with its tools, and its sections below each other. */
export function Page({ title, tools, children }: { title: string; tools?: ReactNode; children: ReactNode }) {
  useTitle(title);
  return (
    <>
      <div className={styles.head}>
        <h1>{title}</h1>
        {tools}
      </div>
      <div className={styles.stack}>{children}</div>
    </>
  );
}
