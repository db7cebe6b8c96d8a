/** Which pools answer for which public model name of an Endpoint. Pure. */

import type { Endpoint } from "../../api/types";

export interface Share {
  model: string;
  pool: string;
  /** The name that is asked of the pool; null: its own. */
  adapter: string | null;
  role: "backend" | "failover";
  /** Of a backend its weight; of a fail-over its place in turn, from 1. */
  weight: number;
  /** Of this name's requests, 0 to 1; of a fail-over 0. */
  share: number;
  ready: number | null;
}

/** Backends of each name in the order declared, then its fail-overs. */
export function sharesOf({ spec, status }: Pick<Endpoint, "spec" | "status">): Share[] {
  const seen = Array.isArray(status.pools) ? (status.pools as { name: string; ready: number | null }[]) : [];
  const ready = (pool: string) => seen.find(({ name }) => name === pool)?.ready ?? null;
  return spec.models.flatMap(({ name: model, backends, failover = [] }): Share[] => {
    const total = backends.reduce((sum, { weight = 1 }) => sum + weight, 0);
    return [
      ...backends.map(({ pool, weight = 1, adapter }) => ({ model, pool, adapter: adapter ?? null, role: "backend" as const, weight, share: weight / total, ready: ready(pool) })),
      ...failover.map((pool, at) => ({ model, pool, adapter: null, role: "failover" as const, weight: at + 1, share: 0, ready: ready(pool) })),
    ];
  });
}
