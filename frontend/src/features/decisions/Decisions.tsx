import { useInfiniteQuery } from "@tanstack/react-query";
import { decisionsQuery, type DecisionFilter } from "../../api/decisions";
import type { Zone } from "../../lib/time";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { DecisionRow } from "./DecisionRow";
import styles from "./Decisions.module.css";

/** Why the number of replicas is what it is, newest first. */
export function Decisions({ filter, zone }: { filter: DecisionFilter; zone: Zone }) {
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(decisionsQuery(filter));
  const entries = data?.pages.flatMap(({ items }) => items);
  return (
    <Section title="Decisions" note="open one for its inputs, rules and clamps" data={entries} error={error} onRetry={() => void refetch()}>
      {(rows) => (
        <>
          {rows.length === 0 && (
            <EmptyState title="The autoscaler has decided nothing here yet.">
              <p>It decides for pools whose spec.autoscaling.mode is active or advisory.</p>
            </EmptyState>
          )}
          {rows.map((entry) => (
            <DecisionRow key={entry.id} entry={entry} zone={zone} ofOne={filter.pool !== undefined} />
          ))}
          {hasNextPage && (
            <div className={styles.more}>
              <Button onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
                Show older
              </Button>
            </div>
          )}
        </>
      )}
    </Section>
  );
}
