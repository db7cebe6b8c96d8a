import type { Condition, Pool } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Section } from "../../ui/Section";
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

/** Whether a condition says what one hopes for. */
function isGood({ type, status }: Condition): boolean {
  return status !== "Unknown" && (status === "True") !== GOOD_WHEN_FALSE.has(type);
}

export function Conditions({ pool, zone }: { pool: Pool; zone: Zone }) {
  const { generation } = pool.metadata;
  const isStale = ({ observedGeneration }: Condition) => observedGeneration < generation;
  const isKept = (condition: Condition) => condition.type !== "Ready" && isGood(condition) && !isStale(condition);
  const table = (conditions: Condition[]) => (
    <Table
      rows={conditions}
      rowKey={({ type }) => type}
      isStale={isStale}
      columns={[
        { title: "Type", cell: ({ type }) => type },
        { title: "Status", cell: ConditionStatus },
        { title: "Reason", cell: ({ reason }) => <code>{reason}</code> },
        {
          title: "Message",
          wide: true,
          cell: (condition) => (
            <>
              {condition.message}
              {isStale(condition) && (
                <span className={styles.stale}>
                  reporting on generation {condition.observedGeneration}, current is {generation}
                </span>
              )}
            </>
          ),
        },
        { title: "Since", cell: ({ lastTransitionTime }) => <Age of={lastTransitionTime} zone={zone} /> },
      ]}
    />
  );
  return (
    <Section title="Conditions" data={pool.status.conditions ?? []}>
      {(conditions) => {
        if (conditions.length === 0) return <EmptyState title="No condition has been reported yet." />;
        const kept = conditions.filter(isKept);
        return (
          <>
            {table(conditions.filter((one) => !isKept(one)))}
            {kept.length > 0 && (
              <details className={styles.kept}>
                <summary>
                  {kept.length} more {kept.length === 1 ? "is" : "are"} as {kept.length === 1 ? "it" : "they"} should be
                </summary>
                {table(kept)}
              </details>
            )}
          </>
        );
      }}
    </Section>
  );
}
