import type { Panel } from "../api/types";
import { absolute, clock, type Zone } from "../lib/time";
import { format } from "../lib/units";
import type { Columns } from "./data";
import styles from "./Chart.module.css";

interface Props {
  panel: Panel;
  columns: Columns;
  zone: Zone;
  /** What there is to know of its points; empty where they are good. */
  note: string;
}

/** The same points as the chart, newest first. */
export function DataTable({ panel, columns, zone, note }: Props) {
  const rows = columns.times.map((time, at) => ({ time: time * 1000, at })).toReversed();
  return (
    <section className={styles.twin} aria-label={`${panel.title}, as a table`} tabIndex={0}>
      <table>
        {note !== "" && <caption className="visually-hidden">{note}</caption>}
        <thead>
          <tr>
            <th scope="col">Time</th>
            {panel.series.map(({ key, label }) => (
              <th scope="col" key={key}>
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ time, at }) => (
            <tr key={time}>
              <th scope="row" title={absolute(time, zone)}>
                {clock(time, zone)}
              </th>
              {panel.series.map(({ key }, index) => (
                <td key={key}>{format(columns.values[index]?.[at], panel.unit)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
