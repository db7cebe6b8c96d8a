import { useQueries, useQuery } from "@tanstack/react-query";
import { memo } from "react";
import type { FleetRow, FleetTotals as Totals, StockRow } from "../../api/types";
import { sentenceOf } from "../../api/problem";
import { clustersQuery, inventoryQuery } from "../../api/queries";
import { awake } from "../../lib/replicas";
import { compact, format, UNKNOWN, whole } from "../../lib/units";
import { Icon } from "../../ui/Icon";
import styles from "./Fleet.module.css";
import { lastSeen, stockOf, unheard, type Stock } from "./stock";

function count(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : compact(value);
}

/** Each cluster is asked by itself: one that is away must not hide what the others have. */
const MOST_CLUSTERS = 10;

/** The stock, and why it may be old or too small: the clusters that were not asked, or did not answer. */
function useStock(rows: readonly FleetRow[]): { stock: Stock | null; trouble: string } {
  const { data: clusters, error } = useQuery(clustersQuery);
  const asked = (clusters?.items ?? []).slice(0, MOST_CLUSTERS);
  const answers = useQueries({ queries: asked.map(({ metadata }) => inventoryQuery(metadata.team, metadata.name)) });
  const largest = Math.max(1, ...rows.map(({ acceleratorsPerReplica }) => acceleratorsPerReplica ?? 1));
  const now = stockOf(answers.flatMap(({ data }) => data ?? []), largest);
  const silent = asked.flatMap(({ metadata }, at) => (answers[at]?.error != null ? [metadata.name] : []));
  return {
    stock: now ?? lastSeen(asked.map(({ status }) => status.accelerators as StockRow[] | undefined)),
    trouble: error === null ? unheard(silent, now !== null) : `not read: ${sentenceOf(error)}`,
  };
}

function stockWords(stock: Stock, asleep: number): string {
  const parts = [`${compact(stock.free)} free`];
  if (stock.fragmented > 0) parts.push(`${compact(stock.fragmented)} of them fragmented`);
  if (asleep > 0) parts.push(`${compact(asleep)} held by sleepers`);
  return parts.join(", ");
}

export const FleetTotals = memo(function FleetTotals({ totals, rows }: { totals: Totals; rows: readonly FleetRow[] }) {
  const { stock, trouble } = useStock(rows);
  const breached = rows.filter(({ slo }) => slo.some(({ met }) => met === false)).length;
  const figures: [string, string, string?, string?][] = [
    ["Pools healthy", `${count(totals.healthy)} of ${count(totals.pools)}`],
    ["Replicas ready", `${count(awake(totals.replicas))} of ${count(totals.replicas.desired)}`, totals.replicas.asleep ? `${totals.replicas.asleep} asleep` : undefined],
    ["SLOs breached", rows.some(({ slo }) => slo.length > 0) ? `${breached} ${breached === 1 ? "pool" : "pools"}` : UNKNOWN],
    stock === null
      ? ["Accelerators", count(totals.accelerators), undefined, trouble]
      : ["Accelerators", `${compact(stock.used)} of ${compact(stock.allocatable)}`, stockWords(stock, totals.acceleratorsAsleep ?? 0), trouble],
    ["Requests", format(totals.requestsPerSecond, "requests/s")],
    ["Generated", format(totals.tokensPerSecond, "tokens/s")],
    ["Cost of a day", totals.costPerHour === null ? UNKNOWN : whole(totals.costPerHour * 24), totals.costPerHour === null ? undefined : (totals.currency ?? "")],
  ];
  return (
    <dl className={styles.totals} aria-label="Totals of the fleet">
      {figures.map(([term, figure, note, doubt]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd className="number">
            {figure}
            {note !== undefined && <span className={styles.slo}>{note}</span>}
            {doubt !== undefined && doubt !== "" && (
              <span className={styles.doubt}>
                <Icon name="triangle" size={12} /> {doubt}
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
});
