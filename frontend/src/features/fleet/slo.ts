/** Which of a pool's objectives speaks for it. Pure. */

import type { Attainment } from "../../api/types";

/** What needs a person first, first. */
export const SLO_ORDER = ["Breached", "AtRisk", "Undecided", "NoData", "NoTraffic", "Met"];

export function urgency({ state }: Attainment): number {
  const at = SLO_ORDER.indexOf(state);
  return at === -1 ? SLO_ORDER.length : at;
}

/** The worst by state, then the one with the least budget left; undefined where nothing is promised. */
export function worst(slo: readonly Attainment[]): Attainment | undefined {
  return slo.toSorted((a, b) => urgency(a) - urgency(b) || (a.budgetLeft ?? Infinity) - (b.budgetLeft ?? Infinity))[0];
}

const METRICS: Record<string, string> = { ttft: "TTFT", itl: "ITL", tpot: "TPOT", e2e: "E2E", errors: "Errors" };

export function metricName(metric: string): string {
  return METRICS[metric] ?? metric;
}
