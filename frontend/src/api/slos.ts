/** Attainment, budget, burn and alerts; shapes are docs/api/slos.md. Shares 0..1, durations in seconds. */

import { queryOptions } from "@tanstack/react-query";
import { fixedWindow, type TimeView } from "../lib/timeRange";
import { path, request } from "./client";
import { keys } from "./keys";
import type { Page, SLO } from "./types";

export interface Burn {
  window: string;
  seconds: number;
  state: "ok" | "no_traffic" | "unknown";
  rate: number | null;
  events: number | null;
}

export interface BurnAlert {
  pair: string;
  short: number;
  long: number;
  factor: number;
  severity: string;
  firing: boolean | null;
}

export interface Objective {
  key: string;
  metric: string;
  threshold: number | null;
  fraction: number;
  window: number;
  promise: string;
  state: string;
  message: string;
  attained: number | null;
  attainedHigh: number | null;
  exact: boolean | null;
  budgetLeft: number | null;
  burnRate: number | null;
  firing: number;
  events: number | null;
  bad: number | null;
  knownShare: number | null;
  budget: { events: number | null; spent: number | null; left: number | null; exhaustedAt: string | null } | null;
  burn: Burn[];
  alerts: BurnAlert[];
}

export interface Standing {
  state?: string;
  evaluatedAt?: string;
  measuredAt?: string;
  /** Of an Endpoint: whose counts were added up. */
  pools?: string[];
  summary?: Objective;
  objectives?: Objective[];
}

/** What the last tick judged; empty before the first. */
export function standingOf({ status }: SLO): Standing {
  return status as Standing;
}

export interface Step {
  start: number;
  end: number;
  state: "met" | "breached" | "undecided" | "no_traffic" | "unknown";
  attained: number | null;
  attainedHigh: number | null;
  events: number | null;
  bad: number | null;
  knownShare: number | null;
}

export interface Calendar {
  from: number;
  to: number;
  step: number;
  items: { key: string; promise: string; fraction: number; since: number | null; steps: Step[] }[];
}

export interface Budgets {
  from: number;
  to: number;
  items: { key: string; promise: string; history: [number, number | null][] }[];
}

export interface Alert {
  id: number;
  team: string;
  slo: string;
  pool: string;
  objective: string;
  promise: string;
  pair: string;
  severity: string;
  state: "firing" | "resolved";
  reason: string;
  startedAt: string;
  resolvedAt: string | null;
  resolution: string;
}

const sloPath = (team: string, name: string, ...rest: string[]) => path("teams", team, "slos", name, ...rest);

export const sloQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.object("slos", team, name),
    queryFn: ({ signal }) => request<SLO>(sloPath(team, name), { signal }),
    refetchInterval: 30_000,
  });

/** Without a stretch in the address: the longest window of the SLO, day by day. */
export const calendarQuery = (team: string, name: string, view: TimeView) =>
  queryOptions({
    queryKey: [...keys.object("slos", team, name), "calendar", fixedWindow(view) ?? "window"],
    queryFn: ({ signal }) => request<Calendar>(sloPath(team, name, "attainment"), { signal, query: { ...fixedWindow(view) } }),
    refetchInterval: 60_000,
  });

export const budgetQuery = (team: string, name: string, view: TimeView) =>
  queryOptions({
    queryKey: [...keys.object("slos", team, name), "budget", fixedWindow(view) ?? "window"],
    queryFn: ({ signal }) => request<Budgets>(sloPath(team, name, "budget"), { signal, query: { ...fixedWindow(view) } }),
    refetchInterval: 60_000,
  });

export const alertsQuery = (filter: { team?: string; slo?: string; pool?: string; state?: "firing" }) =>
  queryOptions({
    queryKey: [...keys.alerts, filter],
    queryFn: ({ signal }) => request<Page<Alert>>("/alerts", { signal, query: { ...filter, limit: 50 } }),
    refetchInterval: 30_000,
  });
