/** What decisions add to the charts of a pool: the forecast, the load and the demand in replicas, and marks. Pure. */

import type { Entry } from "../../api/decisions";
import type { Panel, PanelSeries } from "../../api/types";

const seconds = (text: string) => Date.parse(text) / 1000;
/** A run of holds is retold each minute; what is older says nothing of a moment. */
const HOLDS_FOR = 90;

/** The value that held at each moment; null where no decision speaks of it. */
export function held(times: readonly number[], entries: readonly Entry[], value: (entry: Entry) => number | null | undefined): (number | null)[] {
  const runs = entries.map((entry) => ({ from: seconds(entry.firstAt), to: seconds(entry.lastAt) + HOLDS_FOR, entry })).toSorted((a, b) => a.from - b.from);
  return times.map((time) => {
    const found = runs.findLast(({ from, to }) => from <= time && time <= to);
    return found === undefined ? null : (value(found.entry) ?? null);
  });
}

/** Load in replicas' worth: requests/s over what one replica was thought to carry then. */
export function replicasWorth(times: readonly number[], requests: Panel | undefined, entries: readonly Entry[]): (number | null)[] {
  const carries = held(times, entries, (entry) => entry.carries);
  const rates = new Map(requests?.series.find(({ key }) => key === "requests")?.points);
  return times.map((time, at) => {
    const [rate, each] = [rates.get(time), carries[at]];
    return rate == null || each == null || each <= 0 ? null : rate / each;
  });
}

/** The panel with what was decided drawn into it; as it is where nothing was. `requests`: the chart of the same stretch. */
export function withDecisions<P extends Panel>(panel: P, entries: readonly Entry[], requests?: Panel): P {
  const times = panel.series[0]?.points.map(([time]) => time) ?? [];
  if (entries.length === 0 || times.length === 0) return panel;
  const line = (key: string, label: string, value: (entry: Entry) => number | null | undefined): PanelSeries => {
    const values = held(times, entries, value);
    return { key, label, points: times.map((time, at) => [time, values[at] ?? null]) };
  };
  if (panel.name === "replicas") {
    const needed = line("needed", "asked for by the forecast", (entry) => entry.needed);
    const worth = replicasWorth(times, requests, entries);
    const load = { key: "load", label: "load, in replicas’ worth", points: times.map((time, at): [number, number | null] => [time, worth[at] ?? null]) };
    return { ...panel, estimate: load.key, series: [...panel.series, needed, ...(worth.some((value) => value !== null) ? [load] : [])] };
  }
  if (panel.name === "requests" && panel.unit === "requests/s") {
    const level = (q: "p10" | "p50" | "p90") => line(`forecast_${q}`, `forecast ${q}`, ({ forecast }) => forecast?.[q]);
    return { ...panel, band: ["forecast_p10", "forecast_p90"], series: [...panel.series, level("p10"), level("p50"), level("p90")] };
  }
  return panel;
}

const ICONS = { up: "up", down: "down", mix: "change", zero: "down", "from-zero": "up", sleep: "moon", wake: "sun" } as const;

/** A mark for each decision that moved something. */
export function marksOf(entries: readonly Entry[]) {
  return entries.flatMap(({ id, verb, firstAt, sentence }) =>
    verb in ICONS
      ? [{ id, time: seconds(firstAt), icon: ICONS[verb as keyof typeof ICONS], label: sentence, search: { decision: id } }]
      : [],
  );
}
