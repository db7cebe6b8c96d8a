import { expect, it } from "vitest";
import type { Panel, PanelEntry } from "../../api/types";
import { groupsOf, panelsOf, withSleepers, type Part } from "./charts";

const entry = (name: string): PanelEntry => ({ name, title: name, unit: "s", kind: "line" });
const names = (part: Part, ...given: string[]) => panelsOf(part, given.map(entry)).map(({ name }) => name);

it("has the part's own order, whatever the server's", () => expect(names("overview", "itl", "ttft", "e2e")).toEqual(["ttft", "itl"]));

it("gives a panel that is new a part by its name", () => {
  const added = ["gateway_ttft", "offload_bandwidth", "cost_per_hour"];
  expect(names("latency", ...added)).toEqual(["gateway_ttft"]);
  expect(names("cache", ...added)).toEqual(["offload_bandwidth"]);
  expect(names("scaling", ...added)).toEqual(["cost_per_hour"]);
  expect(names("overview", ...added)).toEqual([]);
});

it("puts the many charts of latency under headings, and none of them twice", () => {
  const given = ["gateway_ttft", "error_rate", "ttft", "queue", "ttft_heatmap", "itl"].map(entry);
  const groups = groupsOf("latency", given);
  expect(groups.map(({ title, panels }) => [title, panels.map(({ name }) => name)])).toEqual([
    ["At the engines", ["ttft", "itl"]],
    ["Distribution", ["ttft_heatmap"]],
    ["Where the time goes", ["queue"]],
    ["At the gateway", ["gateway_ttft"]],
    ["What became of the requests", ["error_rate"]],
  ]);
  expect(groupsOf("overview", given).map(({ title }) => title)).toEqual([""]);
});

it("tells of sleepers only where some sleep", () => {
  const panel = (asleep: number) =>
    ({ name: "replicas", series: [{ key: "ready", label: "ready", points: [[1, 1]] }, { key: "asleep", label: "asleep", points: [[1, asleep]] }] }) as unknown as Panel;
  expect(withSleepers(panel(0)).series.map(({ label }) => label)).toEqual(["ready"]);
  expect(withSleepers(panel(1)).series.map(({ label }) => label)).toEqual(["ready, awake or asleep", "asleep"]);
});
