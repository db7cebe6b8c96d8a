/** Which decisions the address asks for. Pure. */

import { VERBS, type DecisionFilter, type Replay, type Verb } from "../../api/decisions";

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/;

export function readDecisionFilter(search: Record<string, unknown>): DecisionFilter {
  const filter: DecisionFilter = {};
  for (const key of ["team", "pool"] as const) {
    const value = search[key];
    if (typeof value === "string" && NAME.test(value)) filter[key] = value;
  }
  if (VERBS.includes(search.verb as Verb)) filter.verb = search.verb as Verb;
  return filter;
}

/** What came of making a decision again from its inputs. */
export function replayInWords({ comparable, reason, equal, differs }: Replay): string {
  if (!comparable) return reason ?? "It cannot be compared.";
  return equal ? "The same inputs give the same decision." : `It comes out otherwise in: ${differs.join(", ")}.`;
}
