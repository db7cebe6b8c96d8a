/** Why this replica: docs/api/route.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";

export interface Candidate {
  endpoint: string;
  droppedBy: string | null;
  total: number | null;
  load: { waiting: number; running: number; kvUsage: number } | null;
  prefix: Record<string, { matchedTokens: number; matchedBlocks: number; totalBlocks: number }> | null;
  scores: { plugin: string; raw: number; weight: number; weighted: number }[];
}

export interface Route {
  id: string;
  model: string;
  promptTokens: number | null;
  winner: string | null;
  prefill: string | null;
  served: string | null;
  reason: string;
  profiles: { name: string; picker: string; winner: string | null; candidates: Candidate[] }[];
}

export const routeQuery = (team: string, name: string, id: string) =>
  queryOptions({
    queryKey: ["route", team, name, id],
    queryFn: ({ signal }) => request<Route>(path("teams", team, "pools", name, "routes", id), { signal }),
    staleTime: Infinity,
    retry: 1,
  });
