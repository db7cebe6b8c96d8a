/** What would have happened: docs/api/simulate.md. Seconds, shares 0..1; null: not known. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";
import type { Page } from "./types";

export type Policy =
  | { kind: "lamplight"; autoscaling?: Record<string, unknown> }
  | { kind: "static"; replicas: number }
  | { kind: "hpa"; metric: "queue" | "running" | "kv"; target: number };

export interface Wish {
  label?: string;
  source?: { kind: "history"; hours: number } | { kind: "trace"; format: "mooncake" | "azure"; content: string };
  policies?: Policy[];
  slo?: { ttft?: string; tpot?: string; fraction?: number };
  startup?: Record<string, { p50: string; p90: string }>;
  price?: Record<string, string>;
  scale?: number;
  seed?: number;
}

export interface Run {
  policy: string;
  attainment: number;
  met: boolean;
  failed: number;
  ttft: Record<string, number | null>;
  tpot: Record<string, number | null>;
  acceleratorHours: number;
  standbyHours: number;
  cost: number | null;
  actions: number;
  reversals: number;
  curve: { at: number; desired: number; ready: number; held: number; arrived: number }[];
  decisions: { at: number; verb: string; replicas: number; sentence: string }[];
}

export interface Simulation {
  id: string;
  pool: string;
  label: string;
  status: "queued" | "running" | "done" | "failed";
  progress: number;
  message: string;
  createdAt: string;
  createdBy: string;
  request: Wish;
  result?: {
    requests: number;
    seconds: number;
    arrivals: string;
    slo: { ttft: number; tpot: number; fraction: number };
    currency: string;
    runs: Run[];
  } | null;
}

const at = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, ...rest);

const KEY = ["simulations"] as const;

export const simulationsKey = (team: string, name: string) => [...KEY, team, name] as const;

export const simulationsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...simulationsKey(team, name), "list"],
    queryFn: ({ signal }) => request<Page<Simulation>>(at(team, name, "simulations"), { signal }),
    refetchInterval: ({ state }) => (state.data?.items.some(({ status }) => status === "queued" || status === "running") ? 2000 : 30_000),
  });

export const simulationQuery = (team: string, name: string, id: string) =>
  queryOptions({
    queryKey: [...simulationsKey(team, name), id],
    queryFn: ({ signal }) => request<Simulation>(at(team, name, "simulations", id), { signal }),
    refetchInterval: ({ state }) => (state.data?.status === "done" || state.data?.status === "failed" ? false : 1000),
  });

/** A trace may be megabytes: it takes longer than other requests. */
export const simulate = (team: string, name: string, wish: Wish) =>
  request<Simulation>(at(team, name, "simulate"), { method: "POST", body: wish, deadline: 60_000 });
