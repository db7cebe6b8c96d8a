import { useEffect, useRef, type KeyboardEvent, type PointerEvent } from "react";
import type { Heatmap as Heat, Panel } from "../api/types";
import { clock, day, type Zone } from "../lib/time";
import { axisLabel, compact } from "../lib/units";
import { onColoursChange } from "../state/theme";
import { most, roundMoments, shown } from "./heat";
import { resolveColour } from "./palette";
import styles from "./Chart.module.css";

interface Props {
  panel: Panel;
  heatmap: Heat;
  /** The stretch of the axis, as of every chart beside it. */
  from: number;
  to: number;
  zone: Zone;
  at: number | null;
  onCursor: (index: number | null) => void;
  /** The column under the cursor, in words. */
  spoken: string;
}

const DAY = 86_400;

/** Where a value lies between the lowest and the highest row, 0 to 1: rows are equally high, whatever they span. */
function heightOf(value: number, rows: readonly (readonly [number | null, number | null])[]): number | undefined {
  const at = rows.findIndex(([low, high]) => value > (low ?? 0) && value <= (high ?? Infinity));
  const row = rows[at];
  if (row === undefined) return undefined;
  const [low, high] = [row[0] ?? 0, row[1]];
  return (at + (high === null ? 0 : (value - low) / (high - low))) / rows.length;
}

interface Axis {
  from: number;
  to: number;
  /** A column counts what came in so many seconds before its moment. */
  step: number;
}

/** Where a moment lies in the stretch, 0 to 1. */
function shareOf(time: number, { from, to }: Axis): number {
  return Math.min(1, Math.max(0, (time - from) / Math.max(1, to - from)));
}

function draw(canvas: HTMLCanvasElement, heatmap: Heat, axis: Axis): void {
  const box = canvas.getBoundingClientRect();
  const ratio = devicePixelRatio;
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  const ctx = canvas.getContext("2d");
  const { first, last } = shown(heatmap);
  const top = most(heatmap);
  if (ctx === null || top === 0) return;
  const high = canvas.height / (last - first + 1);
  ctx.fillStyle = resolveColour("--series-blue");
  for (const [time, counts] of heatmap.columns) {
    // whole pixels that neither overlap nor leave a seam: two shades on one pixel would look like a grid
    const [left, right] = [time - axis.step, time].map((edge) => Math.round(shareOf(edge, axis) * canvas.width)) as [number, number];
    for (let row = first; row <= last; row += 1) {
      const count = counts[row] ?? 0;
      if (count === 0) continue;
      // Rare slow requests are what people look for: the square root keeps them visible beside the crowd.
      ctx.globalAlpha = 0.12 + 0.88 * Math.sqrt(count / top);
      const [y, below] = [Math.round(canvas.height - (row - first + 1) * high), Math.round(canvas.height - (row - first) * high)];
      ctx.fillRect(left, y, right - left, below - y);
    }
  }
}

/** What the shades mean. */
export function HeatScale({ heatmap }: { heatmap: Heat }) {
  return (
    <span className={styles.shades} aria-hidden="true">
      0 <i /> {compact(most(heatmap))} in a cell
    </span>
  );
}

/** Counts by bucket over time. For a screen reader it is a slider over its columns, as every chart. */
export function Heatmap({ panel, heatmap, from, to, zone, at, onCursor, spoken }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { step } = panel;
  useEffect(() => {
    const place = canvas.current;
    if (place === null) return undefined;
    const again = () => draw(place, heatmap, { from, to, step });
    again();
    const resize = new ResizeObserver(again);
    resize.observe(place);
    const stop = onColoursChange(again);
    return () => {
      stop();
      resize.disconnect();
    };
  }, [heatmap, from, to, step]);

  const { first, last } = shown(heatmap);
  const rows = heatmap.buckets.slice(first, last + 1);
  const count = heatmap.columns.length;
  const every = Math.max(1, Math.ceil(rows.length / 5));
  const axis: Axis = { from, to, step };
  const under = at === null ? undefined : heatmap.columns[at]?.[0];

  const move = (event: KeyboardEvent) => {
    const present = at ?? count;
    const goal = { ArrowLeft: present - 1, ArrowRight: present + 1, PageUp: present + 12, PageDown: present - 12, Home: 0, End: count - 1 }[event.key];
    if (event.key === "Escape") onCursor(null);
    if (goal === undefined) return;
    event.preventDefault();
    onCursor(Math.min(Math.max(goal, 0), count - 1));
  };
  const point = (event: PointerEvent<HTMLElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const time = from + ((event.clientX - box.left) / box.width) * (to - from);
    const found = heatmap.columns.findIndex(([end]) => end >= time);
    onCursor(found === -1 ? count - 1 : found);
  };

  return (
    <div
      className={styles.heat}
      role="slider"
      tabIndex={0}
      aria-label={`${panel.title}; arrow keys move through time`}
      aria-valuemin={0}
      aria-valuemax={Math.max(0, count - 1)}
      aria-valuenow={at ?? Math.max(0, count - 1)}
      aria-valuetext={spoken}
      onKeyDown={move}
      onBlur={() => onCursor(null)}
    >
      <div className={styles.ys} aria-hidden="true">
        {rows.map(([, high], index) =>
          high !== null && index % every === every - 1 ? (
            <span key={high} style={{ bottom: `${((index + 1) / rows.length) * 100}%` }}>
              {axisLabel(high, panel.unit)}
            </span>
          ) : null,
        )}
      </div>
      <canvas ref={canvas} />
      <div className={styles.over} onPointerMove={point} onPointerLeave={() => onCursor(null)}>
        {panel.thresholds.map(({ label, value }) => {
          const share = heightOf(value, rows);
          return share === undefined ? null : (
            <i key={label} style={{ bottom: `${share * 100}%` }}>
              <span className={styles.slo}>{label}</span>
            </i>
          );
        })}
        {under !== undefined && <b style={{ left: `${shareOf(under - step / 2, axis) * 100}%` }} />}
      </div>
      <div className={styles.xs} aria-hidden="true">
        {roundMoments(from, to).map((time) => (
          <span key={time} style={{ left: `${shareOf(time, axis) * 100}%` }}>
            {to - from > 2 * DAY ? day(time * 1000, zone) : clock(time * 1000, zone, step < 60 && to - from < 600)}
          </span>
        ))}
      </div>
    </div>
  );
}
