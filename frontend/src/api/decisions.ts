/** Decisions of the autoscaler; shapes are docs/api/decisions.md. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { serverNow } from "../lib/serverClock";
import { fixedWindow, windowAt, type Range, type TimeView } from "../lib/timeRange";
import { path, request } from "./client";
import { keys } from "./keys";
import type { Page } from "./types";

export interface Count {
  variant: string;
  replicas: number;
  asleep?: number;
}

export interface Entry {
  id: number;
  team: string;
  pool: string;
  mode: string;
  firstAt: string;
  lastAt: string;
  count: number;
  verb: string;
  binding: string;
  before: Count[];
  targets: Count[];
  costPerHour: { amount: number; currency: string } | null;
  sentence: string;
  actuation: string | null;
  /** Requests/s expected one start-up ahead; null where there was no forecast. */
  forecast?: Record<string, number> | null;
  /** The replicas that the forecast asks for, before any clamp. */
  needed?: number | null;
  /** Requests/s that one replica was thought to carry within the SLO. */
  carries?: number | null;
}

export interface Input {
  name: string;
  variant: string;
  state: string;
  value: number | null;
  /** Seconds. */
  age: number | null;
  unit: string;
  reason: string;
}

export interface Decision extends Entry {
  quantiles: Record<string, number> | null;
  attainment: [number, number] | null;
  inputs: Input[];
  proposals: { rule: string; replicas: number; reason: string; role?: string }[];
  clamps: { rule: string; variant: string; before: number; after: number; reason: string }[];
  counterfactuals: { replicas: number; attainment: number | null; ttftP95: number | null; tpotP95: number | null; cost: number | null }[];
}

export interface Replay {
  id: number;
  /** False for a decision of an older version, which remembered other things; `reason` says so. */
  comparable: boolean;
  reason: string | null;
  equal: boolean;
  differs: string[];
}

export const VERBS = ["moves", "up", "down", "mix", "hold", "frozen", "zero", "from-zero", "sleep", "wake"] as const;

export type Verb = (typeof VERBS)[number];

export interface DecisionFilter {
  team?: string;
  pool?: string;
  verb?: Verb;
}

/** Of one pool where the filter names it, else of all pools that one may see. */
export const decisionsQuery = ({ team, pool, verb }: DecisionFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.decisions, team ?? "", pool ?? "", verb ?? ""],
    queryFn: ({ signal, pageParam }) =>
      team !== undefined && pool !== undefined
        ? request<Page<Entry>>(path("teams", team, "pools", pool, "decisions"), { signal, query: { verb, cursor: pageParam } })
        : request<Page<Entry>>("/decisions", { signal, query: { team, verb, cursor: pageParam } }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: 15_000,
  });

/** What was decided in a stretch of time, for charts: at most 200 of each, moves beside holds. */
export const decisionsBetween = (team: string, pool: string, view: TimeView, fallback: Range, wanted: "moves" | "hold") =>
  queryOptions({
    queryKey: [...keys.decisions, "between", team, pool, wanted, view.range ?? fallback, view.from ?? 0, view.to ?? 0],
    queryFn: ({ signal }) => {
      const { from, to } = windowAt(view, fallback, serverNow());
      return request<Page<Entry>>(path("teams", team, "pools", pool, "decisions"), { signal, query: { verb: wanted, from, to, limit: 200 } });
    },
    refetchInterval: fixedWindow(view) === undefined ? 15_000 : false,
  });

export const decisionQuery = (team: string, pool: string, id: number) =>
  queryOptions({
    queryKey: [...keys.decisions, "one", team, pool, id],
    queryFn: ({ signal }) => request<Decision>(path("teams", team, "pools", pool, "decisions", String(id)), { signal }),
    staleTime: 30_000,
  });

export const replay = (team: string, pool: string, id: number) =>
  request<Replay>(path("teams", team, "pools", pool, "decisions", String(id), "replay"));
