/** What the REST API answers; the contract is docs/architecture.md. Numbers may be null: unknown is not zero. */

export type Sync = "Synced" | "OutOfSync" | "Unknown";
export type Health = "Healthy" | "Progressing" | "Degraded" | "Suspended" | "Missing" | "Unknown";

export interface Session {
  user: { username: string; [key: string]: unknown };
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
}

export interface Pool {
  apiVersion: string;
  kind: "Pool";
  metadata: {
    name: string;
    team: string;
    uid: string;
    generation: number;
    version: number;
    createdAt: string;
    updatedAt: string;
    deletionRequestedAt: string | null;
  };
  spec: { model: string; cluster: string; namespace: string; path: string; [key: string]: unknown };
  status: {
    conditions?: Condition[];
    observedGeneration?: number;
    sync?: Sync;
    health?: Health;
    replicas?: Partial<ReplicaCounts>;
    endpoint?: string | null;
    [key: string]: unknown;
  };
}

/** Is the row's telemetry to be believed. */
export type DataState = "ok" | "no_traffic" | "no_data" | "stale";

export interface Attainment {
  metric: string;
  threshold: number;
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
  requestsPerSecond: number | null;
  tokensPerSecond: number | null;
  /** Seconds. */
  ttftP95: number | null;
  /** Seconds. */
  itlP95: number | null;
  /** Fraction, 0 to 1. */
  hitRate: number | null;
  slo: Attainment[];
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
  kind: "line" | "stacked";
  state: DataState;
  reason: string | null;
  /** Seconds between points. */
  step: number;
  lastSampleAt: number | string | null;
  series: PanelSeries[];
  thresholds: Threshold[];
}

export interface PanelEntry {
  name: string;
  title: string;
  unit: string;
  kind: "line" | "stacked";
}

export interface Page<T> {
  items: T[];
  next?: string | null;
}
