import type { ReactNode } from "react";
import { ApiError, sentenceOf } from "../api/problem";
import { Button } from "./Button";
import { Icon } from "./Icon";
import styles from "./Message.module.css";

/** Nothing to show, and what to do next. */
export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className={styles.message}>
      <p className={styles.title}>{title}</p>
      {children}
    </div>
  );
}

/** What failed, in the server's own sentence, with the places it names. */
export function ErrorPanel({ error, what, onRetry }: { error: unknown; what: string; onRetry?: () => void }) {
  const details = error instanceof ApiError ? error.details : [];
  return (
    <div className={styles.message} role="alert">
      <p className={styles.title} data-tone="bad">
        <Icon name="triangle" /> {what}
      </p>
      <p>{sentenceOf(error)}</p>
      {details.length > 0 && (
        <ul>
          {details.map(({ pointer, line, detail }) => (
            <li key={`${pointer ?? ""}:${detail}`}>
              {line != null && <span className="muted">line {line}: </span>}
              {pointer !== undefined && pointer !== "" && <code>{pointer}</code>} {detail}
            </li>
          ))}
        </ul>
      )}
      {onRetry !== undefined && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}

export function Skeleton({ height, label }: { height: string; label: string }) {
  return (
    <div className={styles.skeleton} style={{ height }} role="status">
      <span className="visually-hidden">{label}</span>
    </div>
  );
}
