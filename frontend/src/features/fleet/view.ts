/** The fleet's view as the address says it, and the rows it leaves to show. Pure. */

import type { FleetRow } from "../../api/types";
import { awake } from "../../lib/replicas";
import { urgency, worst } from "./slo";

export const SORTS = [
  "name",
  "health",
  "sync",
  "slo",
  "budget",
  "ttft",
  "itl",
  "replicas",
  "accelerators",
  "requests",
  "tokens",
  "hits",
  "cost",
  "changed",
] as const;

export type Sort = (typeof SORTS)[number];

export const GROUPS = ["team", "model", "cluster"] as const;

export interface FleetView {
  q?: string;
  sort?: Sort;
  order?: "desc";
  group?: (typeof GROUPS)[number];
}

export interface Group {
  /** Empty when the rows are not grouped. */
  title: string;
  rows: FleetRow[];
}

/** Unknown words in the address are dropped, so that an old link still opens. */
export function readFleetView(search: Record<string, unknown>): FleetView {
  const view: FleetView = {};
  // A number or true in the address is text that the router parsed.
  if (["string", "number", "boolean"].includes(typeof search.q) && search.q !== "") view.q = String(search.q);
  if (SORTS.includes(search.sort as Sort) && search.sort !== "name") view.sort = search.sort as Sort;
  if (search.order === "desc") view.order = "desc";
  if (GROUPS.includes(search.group as (typeof GROUPS)[number])) view.group = search.group as FleetView["group"];
  return view;
}

/** The view after a click on a column's heading: the same column turns around, another starts ascending. */
export function sortBy(view: FleetView, column: Sort): FleetView {
  const same = (view.sort ?? "name") === column;
  return readFleetView({ ...view, sort: column, order: same && view.order !== "desc" ? "desc" : undefined });
}

/** What needs a person first sorts first. */
const HEALTH_ORDER = ["Degraded", "Missing", "Progressing", "Unknown", "Suspended", "Healthy"];
const SYNC_ORDER = ["OutOfSync", "Unknown", "Synced"];

const VALUE: Record<Sort, (row: FleetRow) => string | number | null> = {
  name: (row) => row.name,
  health: (row) => HEALTH_ORDER.indexOf(row.health),
  sync: (row) => SYNC_ORDER.indexOf(row.sync),
  slo: (row) => {
    const speaks = worst(row.slo);
    return speaks === undefined ? null : urgency(speaks);
  },
  budget: (row) => worst(row.slo)?.budgetLeft ?? null,
  ttft: (row) => row.ttftP95,
  itl: (row) => row.itlP95,
  replicas: (row) => awake(row.replicas),
  accelerators: (row) => row.accelerators,
  requests: (row) => row.requestsPerSecond,
  tokens: (row) => row.tokensPerSecond,
  hits: (row) => row.hitRate,
  cost: (row) => row.costPerHour,
  changed: (row) => -Date.parse(row.updatedAt),
};

const byText = new Intl.Collator("en", { numeric: true }).compare;

interface Placed {
  row: FleetRow;
  /** What the row is sorted by, read once and not for every comparison. */
  value: string | number | null;
}

function compare({ row: a, value: left }: Placed, { row: b, value: right }: Placed, sign: 1 | -1): number {
  if (left !== right) {
    // Unknown is neither small nor large: always last.
    if (left === null) return 1;
    if (right === null) return -1;
    const order =
      typeof left === "number" && typeof right === "number" ? left - right : byText(String(left), String(right));
    if (order !== 0) return sign * order;
  }
  return byText(a.name, b.name) || byText(a.team, b.team);
}

function matches(row: FleetRow, words: string[]): boolean {
  const text = [row.team, row.name, row.model, row.cluster, row.path, row.sync, row.health, worst(row.slo)?.state ?? ""]
    .join(" ")
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

export function arrange(rows: readonly FleetRow[], view: FleetView): Group[] {
  const words = (view.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const sign = view.order === "desc" ? -1 : 1;
  const shown = rows
    .filter((row) => words.length === 0 || matches(row, words))
    .map((row): Placed => ({ row, value: VALUE[view.sort ?? "name"](row) }))
    .toSorted((a, b) => compare(a, b, sign))
    .map(({ row }) => row);
  const { group } = view;
  if (group === undefined) return shown.length === 0 ? [] : [{ title: "", rows: shown }];
  const held = new Map<string, FleetRow[]>();
  for (const row of shown) {
    const known = held.get(row[group]);
    if (known === undefined) held.set(row[group], [row]);
    else known.push(row);
  }
  return [...held].map(([title, found]) => ({ title, rows: found })).toSorted((a, b) => byText(a.title, b.title));
}
