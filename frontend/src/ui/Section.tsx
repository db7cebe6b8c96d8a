import { useId, type ReactNode } from "react";
import { ErrorPanel, Skeleton } from "./Message";
import { NotRefreshed } from "./NotRefreshed";
import styles from "./Section.module.css";

interface Props<T> {
  title: string;
  note?: ReactNode;
  /** Buttons beside the title. */
  tools?: ReactNode;
  /** What the section shows; undefined while it is loading. */
  data: T | undefined;
  error: unknown;
  onRetry: () => void;
  children: (data: T) => ReactNode;
}

/** A titled frame with a table, or the reason why there is none. */
export function Section<T>({ title, note, tools, data, error, onRetry, children }: Props<T>) {
  const id = useId();
  return (
    <section aria-labelledby={id} className={styles.section}>
      <div className={styles.head}>
        <h2 id={id}>
          {title} {note !== undefined && <span className="muted">{note}</span>}
        </h2>
        {tools}
      </div>
      <div className={styles.frame} tabIndex={0} role="group" aria-labelledby={id}>
        {data !== undefined && <NotRefreshed error={error} onRetry={onRetry} />}
        {data !== undefined && children(data)}
        {data === undefined && error === null && <Skeleton height="8rem" label={`Loading: ${title}`} />}
        {data === undefined && error !== null && (
          <ErrorPanel error={error} what={`${title} could not be loaded.`} onRetry={onRetry} />
        )}
      </div>
    </section>
  );
}
