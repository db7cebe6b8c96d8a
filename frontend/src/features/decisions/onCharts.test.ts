import { describe, expect, it } from "vitest";
import type { Entry } from "../../api/decisions";
import { gathered } from "../../charts/marking";
import { panel } from "../../test/fixtures";
import { held, marksOf, withDecisions } from "./onCharts";

const START = Date.UTC(2026, 10, 23, 14, 0, 0) / 1000;
const entry = (given: Partial<Entry>): Entry => ({
  id: 1,
  team: "default",
  pool: "chat",
  mode: "active",
  firstAt: "2026-11-23T14:00:00Z",
  lastAt: "2026-11-23T14:00:10Z",
  count: 1,
  verb: "hold",
  binding: "hold",
  before: [],
  targets: [],
  costPerHour: null,
  sentence: "…",
  actuation: null,
  forecast: { p10: 1, p50: 2, p90: 3 },
  needed: 2,
  ...given,
});

describe("decisions on charts", () => {
  it("hold from their first to a while after their last moment, and no longer", () => {
    expect(held([START - 1, START, START + 99, START + 101], [entry({})], ({ needed }) => needed)).toEqual([null, 2, 2, null]);
  });

  it("give the requests a band and the replicas what the load asked for", () => {
    const requests = withDecisions(panel({ name: "requests", unit: "requests/s" }), [entry({})]);
    expect(requests.band).toEqual(["forecast_p10", "forecast_p90"]);
    expect(requests.series.map(({ key }) => key)).toEqual(["p95", "forecast_p10", "forecast_p50", "forecast_p90"]);
    const replicas = withDecisions(panel({ name: "replicas", unit: "replicas" }), [entry({ needed: null })]);
    expect(replicas.series[1]?.points[0]).toEqual([START, null]);
    expect(withDecisions(panel({}), [entry({})]).series).toHaveLength(1);
  });

  it("tell the load in replicas’ worth where both are known", () => {
    const requests = panel({ name: "requests", series: [{ key: "requests", label: "finished", points: [[START, 30], [START + 10, null]] }] });
    const replicas = panel({ name: "replicas", unit: "replicas", series: [{ key: "ready", label: "ready", points: [[START, 2], [START + 10, 2]] }] });
    const load = withDecisions(replicas, [entry({ carries: 12 })], requests).series.find(({ key }) => key === "load");
    expect(load?.points).toEqual([[START, 2.5], [START + 10, null]]);
    expect(withDecisions(replicas, [entry({ carries: null })], requests).series.map(({ key }) => key)).toEqual(["ready", "needed"]);
  });

  it("mark moves, not holds; those too close share one mark with the newest first", () => {
    const marks = marksOf([entry({ id: 3, verb: "up", firstAt: "2026-11-23T14:00:05Z" }), entry({ id: 2, verb: "down" }), entry({})]);
    expect(marks.map(({ id }) => id)).toEqual([3, 2]);
    expect(gathered(marks, START - 1000, START + 1000).map((group) => group.map(({ id }) => id))).toEqual([[3, 2]]);
    expect(gathered(marks, START - 10, START + 10)).toHaveLength(2);
  });
});
