import type { Panel } from "../api/types";
import { format } from "../lib/units";
import { isNothing, latest, type Columns } from "./data";
import { strokeOf } from "./palette";
import styles from "./Chart.module.css";

interface Props {
  panel: Panel;
  columns: Columns;
  /** null: the newest known values. */
  at: number | null;
}

export function valueAt(columns: Columns, series: number, at: number | null): number | null {
  const values = columns.values[series] ?? [];
  return at === null ? latest(values) : (values[at] ?? null);
}

/** Parts of a stack that are nothing all along are named in one breath; they have no area to tell apart. */
export function Legend({ panel, columns, at }: Props) {
  const isEmpty = (index: number) => panel.kind === "stacked" && isNothing(columns.values[index] ?? []);
  const empty = panel.series.filter((_, index) => isEmpty(index));
  const gathers = empty.length > 1 && empty.length < panel.series.length;
  return (
    <ul className={styles.legend}>
      {panel.series.map(({ key, label }, index) => {
        if (gathers && isEmpty(index)) return null;
        const { token, width, dash } = strokeOf(key, index);
        return (
          <li key={key}>
            <svg aria-hidden="true" width="18" height="10" style={{ color: `var(${token})`, forcedColorAdjust: "none" }}>
              {panel.kind === "stacked" ? (
                <rect width="10" height="10" x="4" rx="2" fill="currentColor" />
              ) : (
                <path d="M0 5h18" stroke="currentColor" strokeWidth={width + 0.5} strokeDasharray={dash?.join(" ")} />
              )}
            </svg>
            {label} <b className="number">{format(valueAt(columns, index, at), panel.unit)}</b>
          </li>
        );
      })}
      {gathers && <li className={styles.nothing}>nothing: {empty.map(({ label }) => label).join(", ")}</li>}
    </ul>
  );
}
