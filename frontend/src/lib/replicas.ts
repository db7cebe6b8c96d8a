/** Replicas in words; one that sleeps is ready for the cluster, and serves nobody. Pure. */

import type { ReplicaCounts } from "../api/types";
import { UNKNOWN } from "./units";

/** Ready and awake; null: not known. */
export function awake({ ready, asleep }: Partial<ReplicaCounts>): number | null {
  return ready == null ? null : Math.max(0, ready - (asleep ?? 0));
}

/** "3 ready of 4", "0 awake and 1 asleep of 1". */
export function replicaWords(counts: Partial<ReplicaCounts> | undefined): string {
  const { desired, asleep } = counts ?? {};
  const [up, wanted] = [awake(counts ?? {}) ?? UNKNOWN, desired ?? UNKNOWN];
  return asleep ? `${up} awake and ${asleep} asleep of ${wanted}` : `${up} ready of ${wanted}`;
}
