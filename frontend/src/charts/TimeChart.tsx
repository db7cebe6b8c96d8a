import "uplot/dist/uPlot.min.css";
import { useEffect, useLayoutEffect, useRef, type KeyboardEvent } from "react";
import uPlot from "uplot";
import { clock, day, type Zone } from "../lib/time";
import type { TimeWindow } from "../lib/timeRange";
import { axisLabel } from "../lib/units";
import { onColoursChange } from "../state/theme";
import type { Panel } from "../api/types";
import { columns, estimateOf, scale, stacked, type Columns } from "./data";
import { resolveColour, strokeOf } from "./palette";
import styles from "./Chart.module.css";

interface Props {
  panel: Panel;
  from: number;
  to: number;
  zone: Zone;
  /** Charts of one page with the same key move their cursors together. */
  syncKey: string;
  /** The index into the panel's moments under the cursor; null when there is none. */
  onCursor: (index: number | null) => void;
  onZoom?: (window: TimeWindow) => void;
  at: number | null;
  /** What the cursor stands on, said in words. */
  spoken: string;
}

const AXIS_FONT = "12px system-ui, sans-serif";
const GAP_LABEL = 4;
const DAY = 86_400;

const STEPPED = uPlot.paths.stepped?.({ align: 1 });

function data(panel: Panel, plain: Columns): uPlot.AlignedData {
  const { times, values } = panel.kind === "stacked" ? stacked(plain) : plain;
  return [times, ...values] as uPlot.AlignedData;
}

function drawnValues({ data }: uPlot): (number | null)[][] {
  return data.slice(1) as (number | null)[][];
}

function dashedLine(ctx: CanvasRenderingContext2D, y: number, left: number, right: number, ratio: number): void {
  ctx.setLineDash([6 * ratio, 4 * ratio]);
  ctx.beginPath();
  ctx.moveTo(left, y);
  ctx.lineTo(right, y);
  ctx.stroke();
}

/** Points between gaps on both sides: a line through one point would not be seen. */
function lonely(values: ArrayLike<number | null | undefined>): number[] {
  const all = Array.from(values);
  return all.flatMap((value, at) => (value != null && all[at - 1] == null && all[at + 1] == null ? [at] : []));
}

/** Whole things: drawn as steps, on an axis without halves. */
const COUNTED = new Set(["replicas", "accelerators"]);
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];

/** Words on a ground of their own, so that a line through them does not make them unreadable. */
function said(ctx: CanvasRenderingContext2D, words: string, right: number, middle: number, ground: string, ratio: number): void {
  const { width } = ctx.measureText(words);
  const ink = ctx.fillStyle;
  ctx.globalAlpha = 0.85;
  ctx.fillStyle = ground;
  ctx.fillRect(right - width - 3 * ratio, middle - 8 * ratio, width + 6 * ratio, 15 * ratio);
  ctx.globalAlpha = 1;
  ctx.fillStyle = ink;
  ctx.fillText(words, right, middle);
}

function drawThresholds(chart: uPlot, panel: Panel): void {
  const drawn = scale(drawnValues(chart), panel.thresholds, panel.unit, estimateOf(panel));
  const { ctx, bbox } = chart;
  const ratio = devicePixelRatio;
  if (panel.thresholds.length === 0) return;
  const colour = resolveColour("--threshold");
  const ground = resolveColour("--surface");
  ctx.save();
  ctx.font = `600 ${11 * ratio}px system-ui, sans-serif`;
  ctx.fillStyle = colour;
  ctx.strokeStyle = colour;
  ctx.lineWidth = 1.5 * ratio;
  ctx.textAlign = "right";
  ctx.textBaseline = "middle";
  const right = bbox.left + bbox.width;
  for (const { label, value } of drawn.drawn) {
    const y = Math.round(chart.valToPos(value, "y", true));
    dashedLine(ctx, y, bbox.left, right, ratio);
    const below = y - bbox.top < 20 * ratio;
    said(ctx, label, right - GAP_LABEL * ratio, y + (below ? 11 : -11) * ratio, ground, ratio);
  }
  if (drawn.above.length > 0) dashedLine(ctx, bbox.top + ratio, bbox.left, right, ratio);
  drawn.above.forEach(({ label }, row) => {
    said(ctx, `${label} ↑ above this scale`, right - GAP_LABEL * ratio, bbox.top + (12 + row * 16) * ratio, ground, ratio);
  });
  ctx.restore();
}

/** Shorter strokes of the mouse are clicks. */
const SHORTEST_STROKE = 12;

/** The stretch that was drawn over, at least a minute of it; undefined for a click. */
function strokeOver(chart: uPlot): TimeWindow | undefined {
  const { left, width } = chart.select;
  if (width < SHORTEST_STROKE) return undefined;
  const from = Math.floor(chart.posToVal(left, "x"));
  return { from, to: Math.max(from + 60, Math.ceil(chart.posToVal(left + width, "x"))) };
}

function band({ band: keys, series }: Panel): uPlot.Band[] | undefined {
  const at = (key: string) => series.findIndex((one) => one.key === key) + 1;
  if (keys === undefined || at(keys[0]) === 0 || at(keys[1]) === 0) return undefined;
  return [{ series: [at(keys[1]), at(keys[0])], fill: resolveColour("--band") }];
}

interface Hands {
  onCursor: (chart: uPlot) => void;
  onZoom: (window: TimeWindow) => void;
}

function build(panel: Panel, zone: Zone, syncKey: string, { onCursor, onZoom }: Hands): Omit<uPlot.Options, "width" | "height"> {
  const muted = resolveColour("--muted");
  const grid = resolveColour("--grid");
  const axis: uPlot.Axis = { stroke: muted, font: AXIS_FONT, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const layers = panel.kind === "stacked";
  return {
    legend: { show: false },
    padding: [8, 18, 0, 0],
    cursor: { sync: { key: syncKey, setSeries: false }, drag: { x: true, y: false, setScale: false }, y: false, points: { size: 7 } },
    scales: {
      x: { time: true },
      y: {
        range: (chart) => {
          const { min, max } = scale(drawnValues(chart), panel.thresholds, panel.unit, estimateOf(panel));
          return [min, max];
        },
      },
    },
    axes: [
      {
        ...axis,
        size: 28,
        space: 70,
        values: (_, splits, __, ___, step) => splits.map((at) => (step >= DAY ? day(at * 1000, zone) : clock(at * 1000, zone, step < 60))),
      },
      { ...axis, size: 62, space: 32, incrs: COUNTED.has(panel.unit) ? WHOLE_STEPS : undefined, values: (_, splits) => splits.map((value) => axisLabel(value, panel.unit)) },
    ],
    series: [
      {},
      ...panel.series.map(({ key, label }, index) => {
        const { token, width, dash } = strokeOf(key, index);
        const colour = resolveColour(token);
        return {
          label,
          stroke: colour,
          paths: COUNTED.has(panel.unit) ? STEPPED : undefined,
          width: layers ? 0 : width,
          dash: layers ? undefined : dash,
          fill: layers ? colour.replace(/^rgb\((.*)\)$/, "rgba($1, 0.8)") : undefined,
          points: { show: false, filter: (chart: uPlot, series: number) => lonely(chart.data[series] ?? []) },
        };
      }),
    ],
    bands: layers ? panel.series.slice(1).map((_, index): uPlot.Band => ({ series: [index + 2, index + 1] })) : band(panel),
    hooks: {
      draw: [(chart) => drawThresholds(chart, panel)],
      setCursor: [onCursor],
      setSelect: [
        (chart) => {
          const over = strokeOver(chart);
          if (over !== undefined) onZoom(over);
          chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

/**
 * A uPlot with our axes, thresholds and keyboard. uPlot owns the canvas; React owns everything around it.
 * For a screen reader it is a slider over time: arrow keys move the cursor, the value text says what is there.
 */
export function TimeChart({ panel, from, to, zone, syncKey, onCursor, onZoom, at, spoken }: Props) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot>(undefined);
  const newest = useRef({ panel, from, to, onCursor, onZoom });
  useLayoutEffect(() => {
    newest.current = { panel, from, to, onCursor, onZoom };
  });
  // What the drawing is built of; new points of the same series only move the data.
  const shape = JSON.stringify([panel.name, panel.kind, panel.unit, panel.thresholds, panel.series.map(({ key }) => key)]);

  useEffect(() => {
    const box = place.current;
    if (box === null) return undefined;
    const rebuild = () => {
      chart.current?.destroy();
      const { panel: now, from: min, to: max } = newest.current;
      const options = build(now, zone, syncKey, {
        onCursor: ({ cursor }) => newest.current.onCursor(cursor.idx ?? null),
        onZoom: (over) => newest.current.onZoom?.(over),
      });
      chart.current = new uPlot({ ...options, width: box.clientWidth, height: box.clientHeight }, data(now, columns(now.series)), box);
      chart.current.setScale("x", { min, max });
    };
    rebuild();
    const resize = new ResizeObserver(() => chart.current?.setSize({ width: box.clientWidth, height: box.clientHeight }));
    resize.observe(box);
    const stop = onColoursChange(rebuild);
    return () => {
      stop();
      resize.disconnect();
      chart.current?.destroy();
      chart.current = undefined;
    };
  }, [shape, zone, syncKey]);

  useEffect(() => {
    const drawn = chart.current;
    if (drawn === undefined) return;
    drawn.batch(() => {
      drawn.setData(data(panel, columns(panel.series)), false);
      drawn.setScale("x", { min: from, max: to });
    });
  }, [panel, from, to]);

  const last = Math.max(0, (panel.series[0]?.points.length ?? 1) - 1);
  const move = (event: KeyboardEvent) => {
    const drawn = chart.current;
    if (drawn === undefined) return;
    const times = drawn.data[0];
    const start = at ?? times.length;
    const page = Math.max(1, Math.round(times.length / 10));
    const goal = { ArrowLeft: start - 1, ArrowRight: start + 1, PageUp: start + page, PageDown: start - page, Home: 0, End: times.length - 1 }[event.key];
    if (event.key === "Escape") drawn.setCursor({ left: -10, top: -10 });
    if (goal === undefined) return;
    event.preventDefault();
    const time = times[Math.min(Math.max(goal, 0), times.length - 1)];
    if (time !== undefined) drawn.setCursor({ left: drawn.valToPos(time, "x"), top: 10 });
  };

  return (
    <div
      ref={place}
      className={styles.plot}
      role="slider"
      tabIndex={0}
      aria-label={`${panel.title}; arrow keys move through time`}
      aria-valuemin={0}
      aria-valuemax={last}
      aria-valuenow={at ?? last}
      aria-valuetext={spoken}
      onKeyDown={move}
      onBlur={() => chart.current?.setCursor({ left: -10, top: -10 })}
    />
  );
}
