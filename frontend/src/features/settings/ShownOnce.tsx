import { CopyButton } from "../../ui/CopyButton";
import styles from "./Settings.module.css";

/** A secret that the server does not tell a second time. */
export function ShownOnce({ says, secret, copy }: { says: string; secret: string; copy: string }) {
  return (
    <p className={styles.made}>
      {says} <code>{secret}</code>
      <CopyButton text={secret} label={copy} />
    </p>
  );
}
