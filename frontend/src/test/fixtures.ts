import type { Attainment, FleetRow, Panel, Pool } from "../api/types";

const START = Date.UTC(2026, 10, 23, 14, 0, 0) / 1000;

export function row(given: Partial<FleetRow>): FleetRow {
  return {
    team: "default",
    name: "chat",
    uid: given.name ?? "chat",
    sync: "Synced",
    health: "Healthy",
    reason: "",
    message: "",
    model: "llama-3-1-8b",
    cluster: "embedded",
    path: "optimized-baseline",
    replicas: { desired: 2, ready: 2, starting: 0 },
    accelerators: 2,
    acceleratorsPerReplica: 1,
    costPerMillionTokens: null,
    requestsPerSecond: 4,
    tokensPerSecond: 900,
    ttftP95: 0.12,
    itlP95: 0.01,
    hitRate: 0.4,
    slo: [],
    costPerHour: 6.4,
    currency: "USD",
    updatedAt: "2026-11-23T14:00:00Z",
    dataState: "ok",
    dataReason: "",
    ...given,
  };
}

export const CHAT: Pool = {
  apiVersion: "lamplight.dev/v1",
  kind: "Pool",
  metadata: {
    name: "chat",
    team: "default",
    uid: "u",
    generation: 7,
    version: 9,
    createdAt: "2026-11-23T13:00:00Z",
    updatedAt: "2026-11-23T14:00:00Z",
    deletionRequestedAt: null,
    labels: {},
    annotations: {},
  },
  spec: { model: "llama-3-1-8b", cluster: "embedded", namespace: "serving", path: "optimized-baseline", variants: [] },
  status: {
    observedGeneration: 7,
    sync: "Synced",
    health: "Healthy",
    replicas: { desired: 2, ready: 2, starting: 0 },
    endpoint: "http://127.0.0.1:31415",
    conditions: [
      {
        type: "Ready",
        status: "True",
        reason: "AllReplicasReady",
        message: "2 of 2 replicas are ready.",
        observedGeneration: 7,
        lastTransitionTime: "2026-11-23T14:00:00Z",
      },
      {
        type: "MetricsAvailable",
        status: "Unknown",
        reason: "NotScraped",
        message: "No replica has been scraped.",
        observedGeneration: 6,
        lastTransitionTime: "2026-11-23T13:30:00Z",
      },
    ],
  },
};

export function panel(given: Partial<Panel>): Panel {
  return {
    name: "ttft",
    title: "Time to first token",
    unit: "s",
    kind: "line",
    state: "ok",
    reason: "",
    step: 10,
    lastSampleAt: START + 20,
    series: [
      {
        key: "p95",
        label: "p95",
        points: [
          [START, 0.09],
          [START + 10, null],
          [START + 20, 0.12],
        ],
      },
    ],
    thresholds: [{ label: "SLO 95 % ≤ 500ms", value: 0.5 }],
    ...given,
  };
}

export function objective(given: Partial<Attainment>): Attainment {
  return {
    slo: "chat-latency",
    key: "ttft-500ms-28d",
    metric: "ttft",
    threshold: 0.5,
    fraction: 0.95,
    window: 2_419_200,
    attained: 0.97,
    budgetLeft: 0.4,
    burnRate: 0.6,
    firing: 0,
    state: "Met",
    message: "",
    met: true,
    ...given,
  };
}
