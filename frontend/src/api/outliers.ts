/** Replicas beside their peers: docs/api/panels.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";

export interface ReplicaSignals {
  name: string;
  variant: string;
  state: "ok" | "outlier" | "alone" | "no_traffic" | "silent";
  reason: string;
  figures: Record<string, { value: number | null; unit: string; peers: number | null; ratio: number | null; outlier: boolean }>;
  findings: string[];
}

export const replicaSignalsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: ["panel", team, name, "replica-signals"],
    queryFn: ({ signal }) =>
      request<{ items: ReplicaSignals[]; summary: { replicas: number; outliers: number; silent: number } }>(path("teams", team, "pools", name, "replica-signals"), { signal }),
    refetchInterval: 15_000,
  });
