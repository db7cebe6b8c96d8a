import { useEffect, useId, useState } from "react";
import { sentenceOf } from "../api/problem";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Message";
import { NotRefreshed } from "../ui/NotRefreshed";
import type { Read } from "../ui/read";
import { Table } from "../ui/Table";
import styles from "./Chart.module.css";
import { Instead } from "./Instead";
import { strokeOf } from "./palette";
import { extent, ticks, type Extent } from "./xy";

export interface XYPoint {
  x: number;
  y: number;
  /** Said beside the point and in the table. */
  label?: string;
}

export interface XYSeries {
  key: string;
  label: string;
  points: readonly XYPoint[];
  look: "line" | "step" | "dots";
}

interface Axis {
  title: string;
  format: (value: number) => string;
  /** Starts at zero unless it says otherwise. */
  from?: number;
  isLog?: boolean;
}

interface Props {
  title: string;
  x: Axis;
  y: Axis;
  series: readonly XYSeries[];
  /** Upright lines, such as the present size. */
  at?: readonly { x: number; label: string }[];
  /** Level lines, such as what was promised. */
  level?: readonly { y: number; label: string }[];
  note?: string;
  /** What was asked for the points; absent where the page has them anyway. */
  read?: Read;
  /** The points are on their way. */
  isLoading?: boolean;
}

const HEIGHT = 200;
/** Before the card's own width is known, and at least: below it the labels would lie over each other. */
const [USUAL, LEAST] = [560, 340];
const [LEFT, RIGHT, TOP, BOTTOM] = [62, 14, 12, 34];

/** One quantity over another, where time is neither; the same as a table. */
export function XYChart({ title, x, y, series, at = NONE, level = NONE, note, read, isLoading = false }: Props) {
  const [asTable, setAsTable] = useState(false);
  const id = useId();
  const [box, setBox] = useState<HTMLDivElement | null>(null);
  const width = useWidth(box);
  const all = series.flatMap(({ points }) => points);
  const across = extent([...all.map((one) => one.x), ...at.map((one) => one.x)], x.from, x.isLog);
  const up = extent([...all.map((one) => one.y), ...level.map((one) => one.y)], y.from);
  const px = (value: number) => LEFT + place(value, across) * (width - LEFT - RIGHT);
  const py = (value: number) => HEIGHT - BOTTOM - place(value, up) * (HEIGHT - TOP - BOTTOM);
  const isEmpty = all.length === 0;
  const error = read?.error ?? null;
  // what was read once and had no points has none; what was never read may have some
  const isUnread = error !== null && read?.dataUpdatedAt === 0;
  const instead = isUnread ? "error" : isLoading ? "loading" : "no_data";
  const state = isEmpty ? instead : error !== null ? "stale" : "ok";
  return (
    <figure className={styles.card} aria-labelledby={id} data-state={state}>
      <header>
        <h3 id={id}>{title}</h3>
        <Button look="quiet" aria-pressed={asTable} aria-label={`${title} as a table`} onClick={() => setAsTable(!asTable)}>
          <Icon name={asTable ? "chart" : "table"} />
        </Button>
      </header>
      <div className={styles.room}>
        {read !== undefined && <NotRefreshed read={read} isSmall />}
        <div className={styles.body}>
          {state === "error" && <Instead word="Not loaded" reason={sentenceOf(error)} isAlert onRetry={() => void read?.refetch()} />}
          {state === "loading" && <Skeleton height="100%" label={`Loading ${title}`} />}
          {state === "no_data" && <Instead word="No data" reason={note ?? null} />}
          {all.length > 0 && asTable && <Twin title={title} x={x} y={y} series={series} />}
          {all.length > 0 && !asTable && (
            <div className={styles.xy} ref={setBox}>
              <svg viewBox={`0 0 ${width} ${HEIGHT}`} role="img" aria-label={`${title}: ${y.title} over ${x.title}. The button above shows it as a table.`}>
                {ticks(up, 4).map((value) => (
                  <g key={value}>
                    <line x1={LEFT} x2={width - RIGHT} y1={py(value)} y2={py(value)} stroke="var(--grid)" />
                    <text x={LEFT - 6} y={py(value) + 4} textAnchor="end">
                      {y.format(value)}
                    </text>
                  </g>
                ))}
                {ticks(across, 5).map((value) => (
                  <text key={value} x={px(value)} y={HEIGHT - BOTTOM + 16} textAnchor={px(value) > width - 40 ? "end" : "middle"}>
                    {x.format(value)}
                  </text>
                ))}
                <text x={width - RIGHT} y={HEIGHT - 2} textAnchor="end">
                  {x.title}
                </text>
                {series.map(({ key, points, look }, index) => (
                  <Drawn key={key} id={key} index={index} points={points.map((one) => ({ ...one, x: px(one.x), y: py(one.y) }))} look={look} width={width} />
                ))}
                {level.map((one) => {
                  const isLeft = startsAway(one.y, all, (value) => place(value, across), at);
                  return (
                    <g key={one.label}>
                      <line x1={LEFT} x2={width - RIGHT} y1={py(one.y)} y2={py(one.y)} stroke="var(--threshold)" strokeDasharray="6 4" />
                      <text x={isLeft ? LEFT + 4 : width - RIGHT} y={py(one.y) - 4} textAnchor={isLeft ? "start" : "end"} data-strong style={{ fill: "var(--threshold)" }}>
                        {one.label}
                      </text>
                    </g>
                  );
                })}
                {at.map((one, nth) => (
                  <g key={one.label}>
                    <line x1={px(one.x)} x2={px(one.x)} y1={TOP} y2={HEIGHT - BOTTOM} stroke="var(--accent)" strokeDasharray="3 3" />
                    <text x={px(one.x) + 4} y={TOP + 8 + 14 * nth} data-strong>
                      {one.label}
                    </text>
                  </g>
                ))}
              </svg>
            </div>
          )}
        </div>
      </div>
      <div className={styles.foot}>
        <ul className={styles.legend}>
          {series.map(({ key, label, look }, index) => {
            const { token, dash } = strokeOf(key, index);
            return (
              <li key={key}>
                <svg aria-hidden="true" width="18" height="10" style={{ color: `var(${token})` }}>
                  {look === "dots" ? <Dot x={9} y={5} index={index} /> : <path d="M0 5h18" stroke="currentColor" strokeWidth="2.5" strokeDasharray={dash?.join(" ")} />}
                </svg>
                {label}
              </li>
            );
          })}
          {note !== undefined && all.length > 0 && <li>{note}</li>}
        </ul>
      </div>
    </figure>
  );
}

const NONE: never[] = [];

/** Whether the left of a level line is free for its label: curves run into the line further right, and no mark stands there. */
function startsAway(y: number, points: readonly XYPoint[], across: (x: number) => number, marks: readonly { x: number }[]): boolean {
  const near = (isLeft: boolean) => Math.min(...points.filter(({ x }) => across(x) < 0.4 === isLeft).map((one) => Math.abs(one.y - y)));
  return near(true) > near(false) && marks.every(({ x }) => across(x) > 0.4);
}

/** Units of the drawing are pixels of the card, whatever its width. */
function useWidth(box: HTMLElement | null): number {
  const [width, setWidth] = useState(USUAL);
  useEffect(() => {
    if (box === null) return undefined;
    const look = () => setWidth(Math.max(LEAST, box.clientWidth || USUAL));
    look();
    const resize = new ResizeObserver(look);
    resize.observe(box);
    return () => resize.disconnect();
  }, [box]);
  return width;
}

function place(value: number, { low, high, isLog }: Extent): number {
  return isLog ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
}

/** Shape tells series apart where colour does not. */
function Dot({ x, y, index }: { x: number; y: number; index: number }) {
  return index % 2 === 0 ? <circle cx={x} cy={y} r="4" fill="currentColor" /> : <path d={`M${x} ${y - 5}l5 5-5 5-5-5Z`} fill="currentColor" />;
}

function Drawn({ id, index, points, look, width }: { id: string; index: number; points: readonly XYPoint[]; look: XYSeries["look"]; width: number }) {
  const { token, width: stroke, dash } = strokeOf(id, index);
  const style = { color: `var(${token})` };
  if (look === "dots") {
    return (
      <g style={style}>
        {points.map(({ x, y, label }) => (
          <g key={`${x} ${y} ${label}`}>
            <Dot x={x} y={y} index={index} />
            {label !== undefined && (
              <text x={x + (x > width * 0.8 ? -8 : 8)} y={y + 4} textAnchor={x > width * 0.8 ? "end" : "start"}>
                {label}
              </text>
            )}
          </g>
        ))}
      </g>
    );
  }
  const path = points.map(({ x, y }, nth) => (nth === 0 ? `M${x} ${y}` : look === "step" ? `H${x}V${y}` : `L${x} ${y}`)).join("");
  return <path d={path} style={style} fill="none" stroke="currentColor" strokeWidth={stroke} strokeDasharray={dash?.join(" ")} vectorEffect="non-scaling-stroke" />;
}

function Twin({ title, x, y, series }: Pick<Props, "title" | "x" | "y" | "series">) {
  const rows = series.flatMap(({ label, points }) => points.map((point, nth) => ({ ...point, of: label, key: `${label} ${nth}` })));
  return (
    <section className={styles.twin} aria-label={`${title}, as a table`} tabIndex={0}>
      <Table
        rows={rows}
        rowKey={({ key }) => key}
        columns={[
          { title: "Of", cell: ({ of, label }) => (label === undefined ? of : `${of}: ${label}`) },
          { title: x.title, cell: ({ x: value }) => x.format(value) },
          { title: y.title, cell: ({ y: value }) => y.format(value) },
        ]}
      />
    </section>
  );
}
