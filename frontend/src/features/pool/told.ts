/** What is told when the state of a pool that is looked at changes by itself. Pure. */

import type { Pool } from "../../api/types";

export interface Standing {
  health: string | undefined;
  /** The newest generation that has come to rest, whatever way; undefined while none has. */
  settled: number | undefined;
}

export function standingOf({ metadata, status }: Pool, before?: Standing): Standing {
  const isSettled = status.observedGeneration === metadata.generation && status.sync === "Synced" && status.health !== "Progressing";
  return { health: status.health, settled: isSettled ? metadata.generation : before?.settled };
}

/** A sentence where something ended or broke; nothing for each replica on the way. */
export function told(name: string, before: Standing, now: Standing, summary: string): string | undefined {
  if (now.settled !== undefined && before.settled !== undefined && now.settled !== before.settled) {
    return `The roll-out of generation ${now.settled} ended. ${name} is ${now.health}: ${summary}`;
  }
  return now.health === before.health || now.health === "Progressing" ? undefined : `${name} is ${now.health}: ${summary}`;
}
