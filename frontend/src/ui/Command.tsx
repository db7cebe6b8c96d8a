import { CopyButton } from "./CopyButton";
import styles from "./Command.module.css";

/** A command to run elsewhere, ready to be copied. */
export function Command({ children }: { children: string }) {
  return (
    <div className={styles.command}>
      <code>{children}</code>
      <CopyButton text={children} label={`Copy: ${children}`} />
    </div>
  );
}
