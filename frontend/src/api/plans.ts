/** Plans, revisions and what may be done with them; shapes are docs/api/plans.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";
import { keys } from "./keys";
import type { Page } from "./types";

export interface PlanField {
  path: string;
  op: "added" | "removed" | "changed" | "reordered";
  effect?: Effect;
  before?: unknown;
  after?: unknown;
  writers?: Writer[];
}

export type Effect = "inPlace" | "restart" | "recreate";

export interface Writer {
  manager: string;
  operation: string;
  subresource: string | null;
  at: string | null;
}

export interface PlanObject {
  apiVersion: string;
  kind: string;
  name: string;
  namespace: string | null;
  action: "created" | "changed" | "unchanged" | "deleted" | "skipped";
  effect: Effect | null;
  variant: string | null;
  restarts: number | null;
  fields: PlanField[];
  fieldsLeftOut: number;
  immutable: string[];
  conflicts: (Writer & { fields: string[] })[];
  reason: string | null;
  message: string | null;
  manifest: unknown;
}

export interface Plan {
  /** null: made for a look only. */
  id: number | null;
  team: string;
  pool: string;
  origin: "document" | "declaration" | "approval";
  state: "open" | "applied" | "superseded";
  createdAt: string;
  reason: string;
  base: { generation: number | null; version: number | null };
  restsOn: string[];
  generation: number | null;
  summary: {
    created: number;
    changed: number;
    unchanged: number;
    deleted: number;
    skipped: number;
    effect: Effect | null;
    replicasRestarted: number;
    podsRestarted: number;
    consentNeeded: string[];
    empty: boolean;
    sentence: string;
  };
  spec: PlanField[];
  objects: PlanObject[];
  accelerators: { accelerator: string; before: number; after: number; delta: number }[];
  cost: { currency: string; per: string; before: number; after: number; delta: number }[];
  unpriced: string[];
  warnings: { reason: string; message: string }[];
}

export interface PlannedDocument {
  kind: string;
  team: string;
  name: string;
  action: "created" | "updated" | "unchanged";
  spec: PlanField[];
  because: string | null;
  plan: Plan | null;
  problem?: { title: string; detail: string };
}

/** A plan asks the cluster, object by object. */
const PLAN_DEADLINE = 60_000;

const poolPath = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, ...rest);

export const planQuery = (team: string, name: string, id: string) =>
  queryOptions({
    queryKey: [...keys.pool(team, name), "plan", id],
    queryFn: ({ signal }) => request<Plan>(poolPath(team, name, "plans", id), { signal }),
  });

export const planPool = (team: string, name: string, yaml: string, reason: string) =>
  request<Plan>(poolPath(team, name, "plan"), {
    method: "POST",
    yaml,
    query: { reason: reason || undefined },
    deadline: PLAN_DEADLINE,
  });

export const planBundle = (team: string, yaml: string) =>
  request<Page<PlannedDocument>>("/plan", { method: "POST", yaml, query: { team, dry_run: "true" }, deadline: PLAN_DEADLINE });

export const applyBundle = (team: string, yaml: string, reason: string) =>
  request<Page<{ kind: string; team: string; name: string; action: string }>>("/apply", {
    method: "POST",
    yaml,
    query: { team, reason: reason || undefined },
  });

export const applyPlan = (plan: Plan, consent: string[], reason: string) =>
  request<Plan>(poolPath(plan.team, plan.pool, "plans", String(plan.id), "apply"), {
    method: "POST",
    body: consent.length === 0 ? {} : { consent },
    query: { reason: reason || undefined },
    deadline: PLAN_DEADLINE,
  });

/** Everything that a write checks, and nothing written. */
export const checkPool = (team: string, name: string, yaml: string, signal: AbortSignal) =>
  request<unknown>(poolPath(team, name), {
    method: "PUT",
    yaml,
    query: { dry_run: "true" },
    headers: { "If-Match": "*" },
    signal,
  });

export interface RevisionDiff {
  spec: PlanField[];
  /** As both would be rendered today; null where that cannot be told, `reason` says why. */
  objects: PlanObject[] | null;
  reason: string | null;
}

export const revisionDiffQuery = (team: string, name: string, from: number, to: number) =>
  queryOptions({
    queryKey: [...keys.pool(team, name), "diff", from, to],
    queryFn: ({ signal }) => request<RevisionDiff>(poolPath(team, name, "revisions", String(from), "diff", String(to)), { signal }),
    staleTime: Infinity,
  });

export const rollBack = (team: string, name: string, generation: number, etag: string, reason: string) =>
  request<unknown>(poolPath(team, name, "revisions", String(generation), "rollback"), {
    method: "POST",
    query: { reason: reason || undefined },
    // What is rolled back is what was seen; somebody else's newer declaration is not undone unseen.
    headers: { "If-Match": etag },
  });
