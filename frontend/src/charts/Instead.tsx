import { Button } from "../ui/Button";
import styles from "./Chart.module.css";

interface Props {
  word: string;
  reason: string | null;
  /** The server did not answer: said aloud as well. */
  isAlert?: boolean;
  onRetry?: () => void;
}

/** In the place of the drawing: its state in a word, why, and what to do. */
export function Instead({ word, reason, isAlert = false, onRetry }: Props) {
  return (
    <div className={styles.empty} role={isAlert ? "alert" : undefined}>
      <b>{word}</b>
      <span>{reason}</span>
      {onRetry !== undefined && <Button onClick={onRetry}>Try again</Button>}
    </div>
  );
}
