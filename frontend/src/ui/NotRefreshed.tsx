import { sentenceOf } from "../api/problem";
import { byServer } from "../lib/serverClock";
import { Age } from "./Age";
import { Button } from "./Button";
import { Icon } from "./Icon";
import styles from "./Message.module.css";
import type { Read } from "./read";

/**
 * What is shown stays when it cannot be read anew; this says so, how old it is, and why. The region is always there: a
 * screen reader tells only of what comes into one that it knows.
 */
export function NotRefreshed({ read: { error, dataUpdatedAt, refetch }, isSmall = false }: { read: Read; isSmall?: boolean }) {
  return (
    <div className={styles.old} data-small={isSmall} data-says="age" role="status">
      {error !== null && dataUpdatedAt > 0 && (
        <>
          <Icon name="triangle" />
          <p>
            Stale: not refreshed{" "}
            {/* it grows: said once is enough */}
            <span aria-live="off">
              for <Age of={byServer(dataUpdatedAt) / 1000} />
            </span>
            . {sentenceOf(error)}
          </p>
          <Button onClick={() => void refetch()}>Try again</Button>
        </>
      )}
    </div>
  );
}
