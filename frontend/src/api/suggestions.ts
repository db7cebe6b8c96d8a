/** What a promise would take on each accelerator; shapes are docs/api/suggestions.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";

/** As it is typed: the server reads the units and names what it cannot. */
export interface LoadAndPromise {
  requestsPerSecond: string;
  promptTokens: string;
  outputTokens: string;
  ttft: string;
  tpot: string;
  fraction: string;
  maxModelLen: string;
}

export interface Suggestion {
  accelerator: string;
  tensor: number;
  verdict: "keeps" | "never";
  replicas: number | null;
  accelerators: number | null;
  requestsPerReplica: number | null;
  /** 0..1 */
  attained: number;
  cost: string | null;
  origin: "measured" | "tables" | "scaled";
  basis: string;
  sentence: string;
}

export const suggestionsQuery = (team: string, model: string, asked: LoadAndPromise) =>
  queryOptions({
    queryKey: ["suggestions", team, model, asked],
    queryFn: ({ signal }) => request<{ items: Suggestion[]; unknown: string[] }>(path("teams", team, "models", model, "suggestions"), { signal, query: { ...asked } }),
    retry: false,
  });
