/** Accelerators of several clusters, added up. Pure. */

import type { Inventory, StockRow } from "../../api/types";

export interface Stock {
  allocatable: number;
  used: number;
  free: number;
  /** Free ones that no replica of the largest declared size can use: too few are free on their node. */
  fragmented: number;
}

/** `perReplica`: accelerators of the largest replica that any pool declares. */
export function stockOf(inventories: readonly Inventory[], perReplica: number): Stock | null {
  const nodes = inventories.flatMap(({ nodes: held }) => held);
  if (nodes.length === 0) return null;
  const sum = (pick: (node: (typeof nodes)[number]) => number) => nodes.reduce((total, node) => total + pick(node), 0);
  const size = Math.max(1, perReplica);
  return {
    allocatable: sum(({ allocatable }) => allocatable),
    used: sum(({ used }) => used),
    free: sum(({ free, schedulable }) => (schedulable ? free : 0)),
    fragmented: sum(({ free, schedulable }) => (schedulable ? free % size : 0)),
  };
}

/** From what the clusters were last seen to have, where their nodes cannot be asked now. */
export function lastSeen(clusters: readonly (readonly StockRow[] | undefined)[]): Stock | null {
  const rows = clusters.flatMap((found) => found ?? []);
  if (rows.length === 0) return null;
  const sum = (pick: (row: StockRow) => number) => rows.reduce((total, row) => total + pick(row), 0);
  return { allocatable: sum(({ allocatable }) => allocatable), used: sum(({ used }) => used), free: sum(({ free }) => free), fragmented: 0 };
}

/** What is said of clusters whose nodes could not be asked; empty where all answered. */
export function unheard(silent: readonly string[], others: boolean): string {
  if (silent.length === 0) return "";
  const names = silent.length > 2 ? `${silent.length} clusters` : silent.join(" and ");
  return others ? `without ${names}, which ${silent.length === 1 ? "does" : "do"} not answer` : `as last seen: ${names} ${silent.length === 1 ? "does" : "do"} not answer`;
}
