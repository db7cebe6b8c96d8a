/** Roll-outs, the object tree and logs; shapes are docs/api/rollouts-and-tree.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";
import { keys } from "./keys";
import type { Health, Sync } from "./types";

export interface Blamed {
  pod: string;
  container: string | null;
  reason: string;
  message: string;
  lastLine: string | null;
}

export interface Rollout {
  generation: number;
  state: "Progressing" | "Paused" | "Stopped" | "Complete" | "Idle";
  reason: string;
  message: string;
  startedAt: string | null;
  finishedAt: string | null;
  deadline: string | null;
  pausedBy: string | null;
  pausedAt: string | null;
  lastHealthyGeneration: number | null;
  abortsTo: number | null;
  can: { pause: boolean; resume: boolean; abort: boolean };
  variants: {
    name: string;
    desired: number | null;
    updated: number | null;
    ready: number | null;
    old: number | null;
    state: string;
    strategy: { maxSurge: number; maxUnavailable: number; why: string } | null;
    blamed: Blamed | null;
  }[];
}

export interface TreeNode {
  id: string;
  parent: string | null;
  depth: number;
  kind: string;
  name: string;
  namespace: string | null;
  health: Health | null;
  sync: Sync | null;
  reason: string | null;
  message: string | null;
  createdAt: string | null;
  replicas?: { desired: number | null; ready: number | null; updated: number | null };
  node?: string | null;
  restarts?: number | null;
  image?: string;
  state?: string;
  revision?: number | null;
}

export interface TreeEvent {
  about: string;
  type: string;
  reason: string;
  message: string;
  count: number;
  firstAt: string | null;
  lastAt: string | null;
}

export interface Tree {
  items: TreeNode[];
  events: TreeEvent[];
  truncated: boolean;
  cached: boolean;
}

export interface Logs {
  pod: string;
  container: string;
  containers: string[];
  previous: boolean;
  lines: string[];
  truncated: boolean;
}

const poolPath = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, ...rest);

export const rolloutQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...keys.pool(team, name), "rollout"],
    queryFn: ({ signal }) => request<Rollout>(poolPath(team, name, "rollout"), { signal }),
    refetchInterval: ({ state }) => (state.data?.state === "Progressing" ? 3_000 : 30_000),
  });

export const act = (team: string, name: string, action: "pause" | "resume" | "abort", reason: string) =>
  request<Rollout>(poolPath(team, name, "rollout"), { method: "POST", body: { action, reason } });

export const treeQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...keys.pool(team, name), "tree"],
    queryFn: ({ signal }) => request<Tree>(poolPath(team, name, "tree"), { signal }),
    refetchInterval: 10_000,
  });

export const logsQuery = (team: string, name: string, pod: string, container: string | undefined, previous: boolean) =>
  queryOptions({
    queryKey: [...keys.pool(team, name), "logs", pod, container ?? "", previous],
    queryFn: ({ signal }) =>
      request<Logs>(poolPath(team, name, "pods", pod, "logs"), { signal, query: { container, tail: 500, previous: previous ? "true" : undefined } }),
    refetchInterval: previous ? false : 3_000,
    retry: false,
  });
