import { useState } from "react";
import { sentenceOf } from "../api/problem";
import { serverNow } from "../lib/serverClock";
import { Age } from "./Age";
import { Button } from "./Button";
import { Icon } from "./Icon";
import styles from "./Message.module.css";

interface Props {
  /** null: the newest answer is shown. */
  error: unknown;
  onRetry: () => void;
}

/** What is shown stays when it cannot be read anew; this says so, since when, and why. */
export function NotRefreshed({ error, onRetry }: Props) {
  return error === null || error === undefined ? null : <Since error={error} onRetry={onRetry} />;
}

function Since({ error, onRetry }: Props) {
  const [since] = useState(() => new Date(serverNow()).toISOString());
  return (
    <div className={styles.old} role="status">
      <Icon name="triangle" />
      <p>
        Stale: not refreshed{" "}
        {/* it grows: said once is enough */}
        <span aria-live="off">
          for <Age of={since} />
        </span>
        . {sentenceOf(error)}
      </p>
      <Button onClick={onRetry}>Try again</Button>
    </div>
  );
}
