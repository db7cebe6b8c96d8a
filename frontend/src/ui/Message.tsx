import type { ReactNode } from "react";
import { ApiError, sentenceOf } from "../api/problem";
import { Button } from "./Button";
import { Icon } from "./Icon";
import styles from "./Message.module.css";

interface EmptyProps {
  title: string;
  /** It is all that the page says, so its title is the page's. */
  isPage?: boolean;
  /** What to do next: a link, a button or a command, with the words that it needs. */
  children: ReactNode;
}

/** Nothing to show, and what to do next. */
export function EmptyState({ title, isPage = false, children }: EmptyProps) {
  const Title = isPage ? "h1" : "p";
  return (
    <div className={styles.message} data-empty>
      <Title className={styles.title}>{title}</Title>
      {children}
    </div>
  );
}

interface ErrorProps {
  error: unknown;
  what: string;
  /** It is all that the page says, so `what` is the page's title. */
  isPage?: boolean;
  onRetry?: () => void;
}

/** What failed, in the server's own sentence, with the places it names. */
export function ErrorPanel({ error, what, isPage = false, onRetry }: ErrorProps) {
  const Title = isPage ? "h1" : "p";
  const details = error instanceof ApiError ? error.details : [];
  return (
    <div className={styles.message} role="alert">
      <Title className={styles.title} data-tone="bad">
        <Icon name="triangle" /> {what}
      </Title>
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
