/** Which pools need a person, the most urgent first. Pure. */

import type { FleetRow } from "../../api/types";
import { worst } from "./slo";

/** Degraded: 0, breached: 1, missing: 2, burning its budget: 3; undefined where nobody is needed. */
function need(row: FleetRow): number | undefined {
  if (row.health === "Degraded") return 0;
  const speaks = worst(row.slo);
  if (speaks?.state === "Breached") return 1;
  if (row.health === "Missing") return 2;
  return speaks?.state === "AtRisk" ? 3 : undefined;
}

export function needsAttention(row: FleetRow): boolean {
  return need(row) !== undefined;
}

export function inNeed(rows: readonly FleetRow[]): FleetRow[] {
  return rows
    .filter(needsAttention)
    .toSorted((a, b) => (need(a) ?? 0) - (need(b) ?? 0) || (a.breachedSince ?? "~").localeCompare(b.breachedSince ?? "~") || a.name.localeCompare(b.name));
}

/** Pools with a promise that nobody can judge now. */
export function unjudged(rows: readonly FleetRow[]): number {
  return rows.filter(({ slo }) => slo.some(({ met }) => met === null)).length;
}
