/** Offload of KV blocks: docs/api/offload.md. Bytes, tokens, seconds, shares 0..1; null: not known. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";
import type { Replay } from "./decisions";
import type { Page } from "./types";

export interface Money {
  amount: number;
  currency: string;
}

export interface Gain {
  gpuSecondsPerHour: number | null;
  ttftSeconds?: number | null;
  moneyPerHour: Money | null;
  accelerators?: number | null;
}

/** What engines had from a volume in the last hour, by their own counters. */
export interface Worth {
  tokensPerHour: number;
  loadSecondsPerHour: number;
  gpuSecondsPerHour: number;
  rentPerHour: Money;
  moneyPerHour: Money;
  hitRate: number | null;
  sentence: string;
}

/** The pool's folder on a volume, as its evictor last told. */
export interface Store {
  claim: string | null;
  readable: boolean;
  usedBytes: number | null;
  quotaBytes: number | null;
  leastQuotaBytes: number | null;
  chunks: number | null;
  duplicates: number | null;
  growthBytesPerSecond: number | null;
  fullInSeconds: number | null;
  volumeBytes: number | null;
  volumeFreeBytes: number | null;
  problem: string | null;
  evictor: { state: string; reuseSeconds: number | null; removedChunks: number | null; forced: number | null; sentence: string } | null;
  worth: Worth | null;
  pools: { pool: string; usedBytes: number | null; quotaBytes: number | null; growthBytesPerSecond: number | null; worth: Worth | null }[];
  otherTeams: { pools: number; usedBytes: number };
  quotas: string | null;
}

/** Tiers against the curve at their size, with what lies between. */
export interface AgainstCurve {
  hitRate: number;
  curveHitRate: number;
  lost: { why: string; points: number }[];
  sentence: string;
}

export interface TierPlan {
  tiers: { kind: string; bytes: number | null; claim?: string | null }[];
  chunkTokens: number | null;
  promptOnly: boolean;
  canary: { variant: string } | null;
  source?: string;
  reason?: string;
}

export interface Tier {
  kind: string;
  on: boolean;
  bytes: number | null;
  claim?: string | null;
  bytesPerSecond: number | null;
  storeBytesPerSecond?: number | null;
  source: string | null;
  breakEven: number | null;
  minPrefixTokens: number | null;
  hitRate: number | null;
  gain: Gain | null;
  verdict: string;
  sentence: string;
}

export interface Side {
  seconds: number | null;
  promptTokens: number | null;
  hitRate: number | null;
  gpuSecondsPerKtok: number | null;
  ttftMean: number | null;
}

export interface OffloadDecision {
  id: number;
  mode: string;
  firstAt: string;
  lastAt: string;
  count: number;
  verb: string;
  binding: string;
  plan: TierPlan | null;
  sentence: string;
  actuation: string | null;
}

export interface Standing {
  mode: string;
  owner: string;
  plan: TierPlan | null;
  phase: string;
  canary: { state: string; variant: string | null; startedAt: string | null; endsAt: string | null; before: Side | null; after: Side | null; gain: number | null } | null;
  /** What the last trial that ended showed; null before the first. */
  proof?: { at: string; kept: boolean; tiers: { kind: string; bytes: number | null }[]; without: Side | null; with: Side | null; sentence: string } | null;
  store?: Store | null;
  decision: OffloadDecision | null;
  measured: { state: string; reason: string; at: string | null; engines: number | null; blind: string[]; samples: number | null; gaps: number | null; dropped: number | null } | null;
  kvBytesPerToken: number | null;
  prefillTokensPerSecond: number | null;
  tiers: Tier[];
}

export interface CurvePoint {
  tokens: number;
  bytes: number;
  hitRate: number;
  sentence?: string;
}

export interface Curve {
  scope: string;
  state: string;
  reason: string;
  points: CurvePoint[];
  ceiling: number | null;
  present: CurvePoint | null;
  knee: CurvePoint | null;
  tiers?: AgainstCurve | null;
  oneHitShare: number | null;
  reuseTime: { p50: number | null; p95: number | null } | null;
  classes: { name: string; kind: string; share: number | null; oneHitShare: number | null; ceiling: number | null }[];
}

export interface WhatIfSize {
  kind: string;
  bytes: number;
  minPrefixTokens: number | null;
  hitRate: number | null;
  accelerators: number | null;
  ttftSeconds: number | null;
  cost: Money | null;
  gain: Money | null;
  chosen: boolean;
  sentence: string;
}

export interface Sizes {
  state: string;
  reason: string;
  rows: WhatIfSize[];
}

const at = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, "offload", ...rest);
const key = (team: string, name: string, ...rest: string[]) => ["pool", team, name, "offload", ...rest] as const;

export const offloadQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: key(team, name, "standing"),
    queryFn: ({ signal }) => request<Standing>(at(team, name), { signal }),
    refetchInterval: 30_000,
  });

export const curveQuery = (team: string, name: string, scope: string) =>
  queryOptions({
    queryKey: key(team, name, "curve", scope),
    queryFn: ({ signal }) => request<Curve>(at(team, name, "curve"), { signal, query: { scope } }),
    refetchInterval: 60_000,
  });

export const sizesQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: key(team, name, "what-if"),
    queryFn: ({ signal }) => request<Sizes>(at(team, name, "what-if"), { signal }),
    refetchInterval: 60_000,
  });

export const offloadDecisionsQuery = (team: string, name: string) =>
  infiniteQueryOptions({
    queryKey: key(team, name, "decisions"),
    queryFn: ({ signal, pageParam }) => request<Page<OffloadDecision>>(at(team, name, "decisions"), { signal, query: { cursor: pageParam } }),
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: 30_000,
  });

export const replayOffload = (team: string, name: string, id: number) => request<Replay>(at(team, name, "decisions", String(id), "replay"));

export const probe = (team: string, name: string) => request<unknown>(at(team, name, "probe"), { method: "POST" });
