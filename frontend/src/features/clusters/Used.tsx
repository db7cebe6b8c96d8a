import styles from "./Used.module.css";

/** How much of a stock is in use: the figure, and a bar beside it. */
export function Used({ used, of }: { used: number; of: number }) {
  return (
    <span className={styles.used}>
      <span className="number">
        {used} of {of}
      </span>
      <svg aria-hidden="true" width="80" height="8" viewBox="0 0 80 8">
        <rect width="80" height="8" rx="2" fill="var(--raised)" stroke="var(--border)" />
        <rect width={of === 0 ? 0 : (80 * used) / of} height="8" rx="2" fill="var(--series-blue)" />
      </svg>
    </span>
  );
}
