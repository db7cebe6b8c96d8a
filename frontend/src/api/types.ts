/**
 * What the REST API answers. Documents and lists are of the OpenAPI schema (`make schema`); what that leaves open is
 * written here by docs/. Numbers may be null: unknown is not zero.
 */

import type { components, operations } from "./schema";

type Schemas = components["schemas"];
type Answer<O extends keyof operations> = operations[O] extends { responses: { 200: { content: { "application/json": infer T } } } } ? T : never;

/** What the server adds to a document that it holds. */
type Held<D extends { metadata: object; spec: unknown; status?: object }> = Omit<D, "metadata" | "status"> & {
  metadata: Required<D["metadata"]>;
  status: D["status"] & { conditions?: Condition[]; [key: string]: unknown };
};

export type PoolSpec = Schemas["PoolSpecDocument"];
export type Variant = Schemas["PoolVariant"];
export type Model = Held<Schemas["Model"]>;
export type Cluster = Held<Schemas["Cluster"]>;
export type SLO = Held<Schemas["SLO"]>;
export type Endpoint = Held<Schemas["Endpoint"]>;
export type Accelerator = NonNullable<Answer<"accelerators">["items"]>[number];
export type TimelineLine = Answer<"timeline">["items"][number];

export type Sync = "Synced" | "OutOfSync" | "Unknown";
export type Health = "Healthy" | "Progressing" | "Degraded" | "Suspended" | "Missing" | "Unknown";

export interface Session {
  user: { username: string; superuser?: boolean };
  teams?: { name: string; role: string }[];
}

export interface Condition {
  type: string;
  status: "True" | "False" | "Unknown";
  reason: string;
  message: string;
  observedGeneration: number;
  lastTransitionTime: string;
}

export interface ReplicaCounts {
  desired: number | null;
  ready: number | null;
  starting: number | null;
  /** Of the ready ones: in warm standby, serving nobody before they wake. Left out where nothing sleeps. */
  asleep?: number | null;
}

export type Pool = Omit<Held<Schemas["Pool"]>, "status"> & {
  status: {
    conditions?: Condition[];
    observedGeneration?: number;
    sync?: Sync;
    health?: Health;
    replicas?: Partial<ReplicaCounts>;
    endpoint?: string | null;
    [key: string]: unknown;
  };
};

/** Is the row's telemetry to be believed. */
export type DataState = "ok" | "no_traffic" | "no_data" | "stale";

export interface Attainment {
  slo: string;
  key: string;
  metric: string;
  /** Seconds; null for errors. */
  threshold: number | null;
  /** Seconds. */
  window: number;
  budgetLeft: number | null;
  burnRate: number | null;
  /** Alerts that fire. */
  firing: number | null;
  /** Met | AtRisk | Breached | Undecided | NoTraffic | NoData */
  state: string;
  message: string;
  /** The fraction promised, 0 to 1. */
  fraction: number;
  /** The fraction measured; null when nothing was measured. */
  attained: number | null;
  met: boolean | null;
}

export interface FleetRow {
  team: string;
  name: string;
  uid: string;
  sync: Sync;
  health: Health;
  /** Of the `Ready` condition while it is not true; else empty. */
  reason: string;
  message: string;
  model: string;
  cluster: string;
  path: string;
  replicas: ReplicaCounts;
  accelerators: number | null;
  /** Held by replicas in warm standby, among them. */
  acceleratorsAsleep?: number;
  /** Of the largest variant. */
  acceleratorsPerReplica: number | null;
  /** Of prompt and generated tokens together, at the present rate. */
  costPerMillionTokens: number | null;
  requestsPerSecond: number | null;
  tokensPerSecond: number | null;
  /** Seconds. */
  ttftP95: number | null;
  /** Seconds. */
  itlP95: number | null;
  /** Fraction, 0 to 1. */
  hitRate: number | null;
  slo: Attainment[];
  /** Since when its `Ready` condition is not true; null while it is. */
  unreadySince?: string | null;
  /** Since when the first of its SLOs is not met; null where all are, or nobody can tell. */
  breachedSince?: string | null;
  /** What the autoscaler decided last, of a pool that breaches. */
  decided?: { id: number; at: string; verb: string; sentence: string; actuation: string | null } | null;
  costPerHour: number | null;
  /** null: unpriced, or in more than one currency. */
  currency: string | null;
  updatedAt: string;
  dataState: DataState;
  dataReason: string;
}

export interface FleetTotals {
  pools: number;
  healthy: number;
  replicas: ReplicaCounts;
  accelerators: number | null;
  acceleratorsAsleep?: number;
  requestsPerSecond: number | null;
  tokensPerSecond: number | null;
  costPerHour: number | null;
  currency: string | null;
}

export interface Fleet {
  items: FleetRow[];
  totals: FleetTotals;
  /** There are more pools than rows; the totals are over all. */
  truncated: boolean;
}

export interface Replica {
  name: string;
  /** null: no engine of a variant, but a supporting pod such as the endpoint picker. */
  variant: string | null;
  component: string;
  phase: string;
  ready: boolean;
  node: string | null;
  restarts: number;
  ip?: string | null;
  reason: string | null;
  message?: string | null;
  createdAt: string | null;
}

export interface TimelineEvent {
  id: number | string;
  kind: string;
  team: string;
  name: string;
  type: string;
  reason: string;
  message: string;
  source: string;
  count: number;
  firstSeen: string;
  lastSeen: string;
}

export type Point = [unixSeconds: number, value: number | null];

export interface PanelSeries {
  key: string;
  label: string;
  unit?: string;
  points: Point[];
}

export interface Threshold {
  /** Says the value too, as it was declared. */
  label: string;
  value: number;
}

export interface Panel {
  name: string;
  title: string;
  unit: string;
  kind: "line" | "stacked" | "heatmap";
  state: DataState | "error";
  reason: string | null;
  /** Of state "error": Lamplight's own signals could not be read, or the pool's source could not. */
  cause?: "query" | "source" | null;
  /** Seconds between points. */
  step: number;
  lastSampleAt: number | string | null;
  series: PanelSeries[];
  thresholds: Threshold[];
  /** Of kind heatmap, which has no series. */
  heatmap?: Heatmap;
  /** Keys of two series with the room between them filled. */
  band?: [low: string, high: string];
  /** Key of a series that is thought, not counted: it does not rule the axis. */
  estimate?: string;
}

export interface Heatmap {
  /** (low, high] in rising order; null: open. */
  buckets: [low: number | null, high: number | null][];
  /** A moment, and a count for each bucket. */
  columns: [unixSeconds: number, counts: number[]][];
}

export interface PanelEntry {
  name: string;
  title: string;
  unit: string;
  kind: "line" | "stacked" | "heatmap";
}

export interface Page<T> {
  items: T[];
  next?: string | null;
}

export interface StockRow {
  resource: string;
  vendor: string;
  product: string;
  nodes: number;
  allocatable: number;
  used: number;
  free: number;
  /** The most that are free on one node. */
  largestNode: number;
}

export interface NodeStock {
  node: string;
  resource: string;
  product: string;
  allocatable: number;
  used: number;
  free: number;
  schedulable: boolean;
}

export interface Inventory {
  accelerators: StockRow[];
  nodes: NodeStock[];
}

export interface OwnedObject {
  apiVersion: string;
  kind: string;
  name: string;
  namespace: string | null;
  uid: string;
  generation: string | null;
  createdAt: string | null;
  deletionRequestedAt: string | null;
}

export interface Revision {
  generation: number;
  spec: PoolSpec;
  acceptedAt: string;
  /** Who declared it, by name; `actor` is the id that records keep. */
  author: string;
  actor: string;
  reason: string | null;
  renderedHash: string | null;
}

export interface Token {
  uid: string;
  name: string;
  prefix: string;
  readOnly: boolean;
  createdAt: string;
  expiresAt: string | null;
  lastUsedAt: string | null;
  /** Only in the answer to its making. */
  token?: string;
}

export interface Team {
  name: string;
  role: string | null;
  createdAt: string;
}

/** Somebody who may log in, or a robot, which has tokens only. */
export interface UserAccount {
  username: string;
  active: boolean;
  administrator: boolean;
  robot: boolean;
  createdAt: string;
  teams: { name: string; role: string }[];
}

export interface Member {
  username: string;
  role: string;
}
