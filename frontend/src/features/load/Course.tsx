import type { Load, Measured } from "../../api/loads";
import { XYChart, type XYSeries } from "../../charts/XYChart";
import { duration, percent, seconds } from "../../lib/units";
import { nameOf } from "./view";

interface Side {
  load: Load;
  measured: Measured;
}

/** Time to first token over the time of a load, or of two beside each other, with what is promised. */
export function Course({ sides, isLoading = false }: { sides: readonly Side[]; isLoading?: boolean }) {
  const isOne = sides.length === 1;
  const series = sides.flatMap(({ load, measured }): XYSeries[] => {
    const line = (key: "ttftP95" | "ttftP50", label: string): XYSeries => ({
      key: `${load.id} ${key}`,
      label,
      look: "line",
      points: measured.slices.flatMap((slice) => (slice[key] === null ? [] : [{ x: slice.at, y: slice[key] }])),
    });
    return isOne ? [line("ttftP95", "p95"), line("ttftP50", "p50")] : [line("ttftP95", `p95, ${nameOf(load)}`)];
  });
  const promised = new Map(
    sides
      .flatMap(({ measured }) => measured.objectives)
      .flatMap(({ metric, threshold, fraction }) => (metric === "ttft" && threshold !== null ? [[threshold, `SLO ${percent(fraction)} ≤ ${seconds(threshold)}`] as const] : [])),
  );
  return (
    <XYChart
      title="Time to first token, as the load’s users saw it"
      x={{ title: "since the start, by when it was sent", format: (value) => (value === 0 ? "0" : duration(value)) }}
      y={{ title: "TTFT", format: (value) => (value === 0 ? "0" : seconds(value)) }}
      series={series}
      level={[...promised].map(([y, label]) => ({ y, label }))}
      isLoading={isLoading}
      note={series.every(({ points }) => points.length === 0) ? "No answer has come yet." : undefined}
    />
  );
}
