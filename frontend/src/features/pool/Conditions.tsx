import type { Condition, Pool } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Section } from "./Section";
import styles from "./Pool.module.css";

/** Conditions that are good news when false. */
const GOOD_WHEN_FALSE = new Set(["Progressing", "Degraded", "Stalled", "Drifted", "Suspended"]);

function ConditionStatus({ type, status }: Condition) {
  if (status === "Unknown") return <Status icon="question" tone="none" word="Unknown" label="Status" />;
  const good = (status === "True") !== GOOD_WHEN_FALSE.has(type);
  if (good) return <Status icon="check" tone="ok" word={status} label="Status" />;
  if (type === "Progressing") return <Status icon="half" tone="info" word={status} label="Status" />;
  return <Status icon="triangle" tone="warn" word={status} label="Status" />;
}

export function Conditions({ pool, zone }: { pool: Pool; zone: Zone }) {
  const { conditions } = pool.status;
  const { generation } = pool.metadata;
  return (
    <Section title="Conditions" data={conditions ?? []} error={null} onRetry={() => undefined}>
      {(known) =>
        known.length === 0 ? (
          <EmptyState title="No condition has been reported yet." />
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Type</th>
                <th scope="col">Status</th>
                <th scope="col">Reason</th>
                <th scope="col">Message</th>
                <th scope="col">Since</th>
              </tr>
            </thead>
            <tbody>
              {known.map((condition) => {
                const stale = condition.observedGeneration < generation;
                return (
                  <tr key={condition.type} data-stale={stale}>
                    <th scope="row">{condition.type}</th>
                    <td>
                      <ConditionStatus {...condition} />
                    </td>
                    <td>
                      <code>{condition.reason}</code>
                    </td>
                    <td className={styles.wide}>
                      {condition.message}
                      {stale && (
                        <span className={styles.stale}>
                          reporting on generation {condition.observedGeneration}, current is {generation}
                        </span>
                      )}
                    </td>
                    <td>
                      <Age of={condition.lastTransitionTime} zone={zone} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        )
      }
    </Section>
  );
}
