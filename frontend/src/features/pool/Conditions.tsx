import { Link } from "@tanstack/react-router";
import type { Condition, Pool } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Section } from "../../ui/Section";
import { isAsHoped, lookOf } from "./conditions";
import styles from "./Pool.module.css";

function ConditionStatus(condition: Condition) {
  return <Status {...lookOf(condition)} word={condition.status} label="Status" />;
}

export function Conditions({ pool, zone }: { pool: Pool; zone: Zone }) {
  const { generation } = pool.metadata;
  const isStale = ({ observedGeneration }: Condition) => observedGeneration < generation;
  const isKept = (condition: Condition) => condition.type !== "Ready" && isAsHoped(condition) && !isStale(condition);
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
        if (conditions.length === 0) {
          return (
            <EmptyState title="No condition has been reported yet.">
              <p>The first reconcile reports them within seconds.</p>
              <Link to="/teams/$team/pools/$name/objects" params={pool.metadata}>
                See what is there of its objects
              </Link>
            </EmptyState>
          );
        }
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
