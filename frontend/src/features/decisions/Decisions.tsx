import { useInfiniteQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "@tanstack/react-router";
import { decisionsQuery, type DecisionFilter } from "../../api/decisions";
import { byDay, type Zone } from "../../lib/time";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { DecisionRow } from "./DecisionRow";
import styles from "./Decisions.module.css";

/** Why the number of replicas is what it is, newest first. */
export function Decisions({ filter, zone, tools }: { filter: DecisionFilter; zone: Zone; tools?: ReactNode }) {
  const read = useInfiniteQuery(decisionsQuery(filter));
  const { data, fetchNextPage, hasNextPage, isFetchingNextPage } = read;
  const entries = data?.pages.flatMap(({ items }) => items);
  return (
    <Section title="Decisions" note="open one for its inputs, rules and clamps" tools={tools} data={entries} read={read}>
      {(rows) => (
        <>
          {rows.length === 0 && filter.verb !== undefined && (
            <EmptyState title="No decision was like this.">
              <Link to="/decisions">All decisions of all pools</Link>
            </EmptyState>
          )}
          {rows.length === 0 && filter.verb === undefined && (
            <EmptyState title="The autoscaler has decided nothing here yet.">
              <p>It decides for pools whose spec.autoscaling.mode is active or advisory.</p>
              {filter.team !== undefined && filter.pool !== undefined ? (
                <Link to="/teams/$team/pools/$name/edit" params={{ team: filter.team, name: filter.pool }}>
                  Change this pool
                </Link>
              ) : (
                <Link to="/">Choose a pool</Link>
              )}
            </EmptyState>
          )}
          {byDay(rows, ({ firstAt }) => firstAt, zone).map(({ day, items }) => (
            <section key={day} aria-label={day} className={styles.day}>
              <h3>{day}</h3>
              {items.map((entry) => (
                <DecisionRow key={entry.id} entry={entry} zone={zone} ofOne={filter.pool !== undefined} />
              ))}
            </section>
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
