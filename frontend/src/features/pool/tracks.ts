/** Canary against stable in the latency charts: what is tried beside what runs, on the same traffic. */

import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { panelQuery, type Track } from "../../api/queries";
import type { Panel } from "../../api/types";
import { useTimeView } from "../../ui/TimeControl";
import { POOL_RANGE } from "./view";

const COMPARED: ReadonlySet<string> = new Set(["ttft", "itl", "e2e", "tpot"]);
const LABELS: Record<Track, string> = { canary: "p95, canary", stable: "p95, the others" };

/** The panel with the p95 of either track drawn into it, as far as there is one. */
export function withTracks<P extends Panel>(panel: P, tracks: Record<Track, Panel | undefined>): P {
  const added = (["canary", "stable"] as const).flatMap((track) => {
    const points = tracks[track]?.series.find(({ key }) => key === "p95")?.points ?? [];
    return points.some(([, value]) => value !== null) ? [{ key: `${track}_p95`, label: LABELS[track], points }] : [];
  });
  return added.length === 0 ? panel : { ...panel, series: [...panel.series, ...added] };
}

/** A latency chart with its tracks; one small question tells whether there was a canary at all. */
export function useTracks<P extends Panel>(team: string, name: string, panel: string, drawn: P | undefined): P | undefined {
  const [view] = useTimeView();
  const compared = COMPARED.has(panel);
  const probe = useQuery({ ...panelQuery(team, name, "ttft", view, POOL_RANGE, "canary"), enabled: compared }).data;
  const tried = compared && probe !== undefined && probe.state !== "no_data";
  const canary = useQuery({ ...panelQuery(team, name, panel, view, POOL_RANGE, "canary"), enabled: tried }).data;
  const stable = useQuery({ ...panelQuery(team, name, panel, view, POOL_RANGE, "stable"), enabled: tried }).data;
  return useMemo(() => (tried ? drawn && withTracks(drawn, { canary, stable }) : drawn), [tried, drawn, canary, stable]);
}
