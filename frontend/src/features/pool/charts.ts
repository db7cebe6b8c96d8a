/** Which panels belong to which part of a pool's pages. Pure. */

import type { Panel, PanelEntry } from "../../api/types";

export type Part = "overview" | "latency" | "cache" | "scaling";

/** In the order in which they are read; what is first answers the part's question. */
const PARTS: Record<Part, readonly string[]> = {
  overview: ["ttft", "itl", "prompt_tokens_by_source", "hit_rate", "throughput", "replicas"],
  latency: ["ttft", "itl", "e2e", "tpot", "ttft_heatmap", "itl_heatmap", "e2e_heatmap", "breakdown", "queue", "requests"],
  cache: ["prompt_tokens_by_source", "hit_rate", "hit_rate_by_tier", "kv_usage", "preemptions", "offload_bandwidth"],
  scaling: ["replicas", "requests", "queue", "throughput", "accelerators", "cost", "cost_per_mtok"],
};

const CACHE = /cache|hit|kv|offload|preempt|token.*source|tier/;
const SCALING = /replica|scal|capacity|cost|sleep|demand|accelerator/;

/** A panel that the server adds later finds its part by its name; what fits none is about latency. */
function home({ name }: PanelEntry): Part {
  if (SCALING.test(name)) return "scaling";
  return CACHE.test(name) ? "cache" : "latency";
}

export function panelsOf(part: Part, panels: readonly PanelEntry[]): PanelEntry[] {
  const named = PARTS[part];
  const everywhere = new Set(Object.values(PARTS).flat());
  const listed = named.flatMap((name) => panels.find((panel) => panel.name === name) ?? []);
  if (part === "overview") return listed;
  return [...listed, ...panels.filter((panel) => !everywhere.has(panel.name) && home(panel) === part)];
}

export interface ChartGroup {
  /** Empty: of the part itself. */
  title: string;
  panels: PanelEntry[];
}

const GROUPS: readonly [title: string, belongs: (name: string) => boolean][] = [
  ["At the engines", (name) => ["ttft", "itl", "e2e", "tpot"].includes(name)],
  ["Distribution", (name) => name.endsWith("_heatmap")],
  ["Where the time goes", (name) => ["breakdown", "queue", "waiting_by_reason"].includes(name)],
  ["At the gateway", (name) => name.startsWith("gateway_")],
  ["What became of the requests", () => true],
];

/** Many charts under headings; a part with few has none. */
export function groupsOf(part: Part, panels: readonly PanelEntry[]): ChartGroup[] {
  const all = panelsOf(part, panels);
  if (part !== "latency") return [{ title: "", panels: all }];
  const groups = GROUPS.map(([title]): ChartGroup => ({ title, panels: [] }));
  for (const panel of all) groups[GROUPS.findIndex(([, belongs]) => belongs(panel.name))]?.panels.push(panel);
  return groups.filter(({ panels: held }) => held.length > 0);
}

/** What a part shows as far as it is known before the server has said which charts it has. */
export function usual(part: Part): ChartGroup[] {
  return groupsOf(part, PARTS[part].map((name) => ({ name, title: name, unit: "", kind: "line" })));
}

/** Replicas that sleep are ready for the cluster: where some do, "ready" says so; where none does, their line is left out. */
export function withSleepers<P extends Panel>(panel: P): P {
  if (panel.name !== "replicas") return panel;
  const sleeps = panel.series.some(({ key, points }) => key === "asleep" && points.some(([, value]) => (value ?? 0) > 0));
  return {
    ...panel,
    series: sleeps
      ? panel.series.map((one) => (one.key === "ready" ? { ...one, label: "ready, awake or asleep" } : one))
      : panel.series.filter(({ key }) => key !== "asleep"),
  };
}
