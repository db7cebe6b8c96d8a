import { useId, type ReactNode } from "react";
import { useLastHeight } from "./lastHeight";
import { ErrorPanel, Skeleton } from "./Message";
import { NotRefreshed } from "./NotRefreshed";
import type { Read } from "./read";
import styles from "./Section.module.css";

interface Props<T> {
  title: string;
  note?: ReactNode;
  /** Buttons beside the title. */
  tools?: ReactNode;
  /** What the section shows; undefined while it is loading. */
  data: T | undefined;
  /** What was asked for it; absent where the page has it anyway. */
  read?: Read;
  children: (data: T) => ReactNode;
}

/** A titled frame with a table, or the reason why there is none. */
export function Section<T>({ title, note, tools, data, read, children }: Props<T>) {
  const id = useId();
  const { box, last } = useLastHeight<HTMLDivElement>(title, data !== undefined && (read === undefined || read.error === null));
  const failed = data === undefined && read !== undefined && read.error !== null;
  const isLoading = data === undefined && !failed;
  return (
    <section aria-labelledby={id} className={styles.section}>
      <div className={styles.head}>
        <h2 id={id}>
          {title} {note !== undefined && <span className="muted">{note}</span>}
        </h2>
        {tools}
      </div>
      <div ref={box} className={styles.frame} style={isLoading ? { height: last } : undefined} tabIndex={0} role="group" aria-labelledby={id}>
        {read !== undefined && <NotRefreshed read={read} />}
        {data !== undefined && children(data)}
        {isLoading && <Skeleton height={last === undefined ? "8rem" : "100%"} label={`Loading: ${title}`} />}
        {failed && <ErrorPanel error={read.error} what={`${title} could not be loaded.`} onRetry={() => void read.refetch()} />}
      </div>
    </section>
  );
}
