import type { Panel } from "../api/types";
import { format } from "../lib/units";
import { latest, type Columns } from "./data";
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

export function Legend({ panel, columns, at }: Props) {
  return (
    <ul className={styles.legend}>
      {panel.series.map(({ key, label }, index) => {
        const { token, width, dash } = strokeOf(key, index);
        return (
          <li key={key}>
            <svg aria-hidden="true" width="18" height="10" style={{ color: `var(${token})` }}>
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
    </ul>
  );
}
