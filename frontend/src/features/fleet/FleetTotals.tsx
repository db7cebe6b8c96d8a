import type { FleetTotals as Totals } from "../../api/types";
import { compact, format, money, UNKNOWN } from "../../lib/units";
import styles from "./Fleet.module.css";

function count(value: number | null | undefined): string {
  return value === null || value === undefined ? UNKNOWN : compact(value);
}

export function FleetTotals({ totals }: { totals: Totals }) {
  const figures: [string, string][] = [
    ["Pools healthy", `${count(totals.healthy)} of ${count(totals.pools)}`],
    ["Replicas ready", `${count(totals.replicas.ready)} of ${count(totals.replicas.desired)}`],
    ["Accelerators", count(totals.accelerators)],
    ["Requests", format(totals.requestsPerSecond, "requests/s")],
    ["Tokens generated", format(totals.tokensPerSecond, "tokens/s")],
    ["Cost", money(totals.costPerHour, totals.currency)],
  ];
  return (
    <dl className={styles.totals} aria-label="Totals of the fleet">
      {figures.map(([term, figure]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd className="number">{figure}</dd>
        </div>
      ))}
    </dl>
  );
}
