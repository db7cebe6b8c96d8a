/** Loads that the server sends: docs/api/loads.md. Seconds, shares 0..1; null: not known. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";
import { keys } from "./keys";
import type { operations } from "./schema";

type Answer<O extends keyof operations> = operations[O] extends { responses: { 200: { content: { "application/json": infer T } } } } ? T : never;

export type Load = Answer<"pools_load">;
export type LoadWish = Load["request"];
export type Measured = NonNullable<Load["measured"]>;
export type Comparison = Answer<"pools_loads_compare">;

const at = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, "loads", ...rest);
const POLL_MS = 1000;

export const loadsKey = keys.loads;
export const isUnderWay = (load: Pick<Load, "status"> | undefined) => load?.status === "queued" || load?.status === "running";

/** Newest first, without how each went over time. */
export const loadsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...loadsKey(team, name), "list"],
    queryFn: ({ signal }) => request<Answer<"pools_loads">>(at(team, name), { signal }),
    refetchInterval: ({ state }) => (state.data?.items.some(isUnderWay) ? 2 * POLL_MS : 15_000),
  });

export const loadQuery = (team: string, name: string, id: string) =>
  queryOptions({
    queryKey: [...loadsKey(team, name), id],
    queryFn: ({ signal }) => request<Load>(at(team, name, id), { signal }),
    refetchInterval: ({ state }) => (state.data === undefined || isUnderWay(state.data) ? POLL_MS : false),
  });

export const comparisonQuery = (team: string, name: string, before: string, after: string) =>
  queryOptions({
    queryKey: [...loadsKey(team, name), before, after],
    queryFn: ({ signal }) => request<Comparison>(at(team, name, before, "compare", after), { signal }),
    staleTime: Infinity,
  });

export const beginLoad = (team: string, name: string, wish: LoadWish) => request<Load>(at(team, name), { method: "POST", body: wish });
export const stopLoad = (team: string, name: string, id: string) => request<Load>(at(team, name, id, "stop"), { method: "POST" });
