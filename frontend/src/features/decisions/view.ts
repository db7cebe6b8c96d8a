/** Which decisions the address asks for. Pure. */

import { VERBS, type DecisionFilter, type Verb } from "../../api/decisions";

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
