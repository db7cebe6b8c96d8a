import type { ReactNode } from "react";
import styles from "./Table.module.css";

export interface Column<T> {
  title: string;
  cell: (row: T) => ReactNode;
  /** Text that may wrap and takes the room that is left. */
  wide?: boolean;
}

interface Props<T> {
  /** The first column names the row. */
  columns: readonly [Column<T>, ...Column<T>[]];
  rows: readonly T[];
  rowKey: (row: T) => string | number;
  /** Rows that tell of a past state are greyed. */
  isStale?: (row: T) => boolean;
}

/**
 * A table that becomes cards in a narrow window. The roles are written out because browsers drop a table's meaning
 * together with its display.
 */
export function Table<T>({ columns, rows, rowKey, isStale }: Props<T>) {
  const [first, ...rest] = columns;
  return (
    <table role="table" className={styles.table}>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title }) => (
            <th role="columnheader" scope="col" key={title}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr role="row" key={rowKey(row)} data-stale={isStale?.(row) ?? false}>
            <th role="rowheader" scope="row">
              {first.cell(row)}
            </th>
            {rest.map(({ title, cell, wide }) => (
              <td role="cell" key={title} data-label={title} data-wide={wide}>
                <div>{cell(row)}</div>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
