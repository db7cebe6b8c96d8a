/** Is every loop fed, and can pools live in a cluster: docs/concepts/integrity.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";

export interface Integrity {
  checkedAt: string | null;
  state: "fed" | "starved" | "unknown";
  servedNames: string[];
  loops: { loop: string; state: "fed" | "starved" | "unknown" }[];
  findings: { reason: string; message: string; loops: string[]; targets: string[] }[];
  targets: { name: string; kind: string; answers: boolean; reason: string; models: string[]; busy: boolean | null; movedAt: number | null }[];
}

export interface Check {
  name: string;
  state: "ok" | "warning" | "failed" | "unknown";
  message: string;
}

export const integrityQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: ["pool", team, name, "integrity"],
    queryFn: ({ signal }) => request<Integrity>(path("teams", team, "pools", name, "integrity"), { signal }),
    refetchInterval: 60_000,
  });

/** Asked of the cluster itself: takes as long as it does. */
export const preflight = (team: string, name: string) =>
  request<{ checks: Check[] }>(path("teams", team, "clusters", name, "preflight"), { deadline: 60_000 });
