import { Link } from "@tanstack/react-router";
import { memo, type ReactNode } from "react";
import type { Attainment, FleetRow } from "../../api/types";
import { format, money, percent, UNKNOWN } from "../../lib/units";
import { Icon } from "../../ui/Icon";
import { HealthStatus, SyncStatus } from "../../ui/Status";
import styles from "./Fleet.module.css";
import { sortBy, type FleetView, type Group, type Sort } from "./view";

interface Column {
  sort: Sort;
  title: string;
  number?: boolean;
  cell: (row: FleetRow) => ReactNode;
}

function objective(row: FleetRow, metric: string): Attainment | undefined {
  return row.slo.find((one) => one.metric === metric);
}

/** A latency with what was promised about it: the value alone does not say whether it is good. */
function Latency({ value, slo }: { value: number | null; slo: Attainment | undefined }) {
  return (
    <>
      {format(value, "s")}
      {slo !== undefined && (
        <span className={styles.slo} data-met={slo.met ?? "unknown"}>
          {slo.met === false && <Icon name="triangle" size={12} />}
          {slo.attained === null ? "" : `${percent(slo.attained)} `}≤ {format(slo.threshold, "s")}
          <span className="visually-hidden">
            {slo.met === null ? "; objective not measured" : slo.met ? "; objective met" : "; objective missed"}
          </span>
        </span>
      )}
    </>
  );
}

function Replicas({ row }: { row: FleetRow }) {
  const { ready, desired, starting } = row.replicas;
  return (
    <>
      {ready ?? UNKNOWN} / {desired ?? UNKNOWN}
      {starting !== null && starting > 0 && <span className={styles.slo}>{starting} starting</span>}
    </>
  );
}

const COLUMNS: Column[] = [
  { sort: "sync", title: "Sync", cell: (row) => <SyncStatus value={row.sync} /> },
  { sort: "health", title: "Health", cell: (row) => <HealthStatus value={row.health} /> },
  { sort: "model", title: "Model", cell: (row) => row.model },
  { sort: "cluster", title: "Cluster", cell: (row) => row.cluster },
  { sort: "replicas", title: "Ready", number: true, cell: (row) => <Replicas row={row} /> },
  { sort: "requests", title: "Requests", number: true, cell: (row) => format(row.requestsPerSecond, "requests/s") },
  { sort: "tokens", title: "Generated", number: true, cell: (row) => format(row.tokensPerSecond, "tokens/s") },
  {
    sort: "ttft",
    title: "TTFT p95",
    number: true,
    cell: (row) => <Latency value={row.ttftP95} slo={objective(row, "ttft")} />,
  },
  {
    sort: "itl",
    title: "ITL p95",
    number: true,
    cell: (row) => <Latency value={row.itlP95} slo={objective(row, "itl")} />,
  },
  { sort: "hits", title: "Cache hits", number: true, cell: (row) => format(row.hitRate, "1") },
  { sort: "cost", title: "Cost", number: true, cell: (row) => money(row.costPerHour, row.currency) },
];

function Heading({ title, sort, number, view, onView }: Omit<Column, "cell"> & Pick<Props, "view" | "onView">) {
  const sorted = (view.sort ?? "name") === sort;
  const down = view.order === "desc";
  return (
    <th
      role="columnheader"
      scope="col"
      data-number={number}
      aria-sort={sorted ? (down ? "descending" : "ascending") : undefined}
    >
      <button type="button" onClick={() => onView(sortBy(view, sort))}>
        {title}
        <span className={styles.arrow} data-sorted={sorted}>
          <Icon name={sorted && down ? "down" : "up"} size={12} />
        </span>
      </button>
    </th>
  );
}

/** Why the figures of a row are missing or old, beside the name where it is read first. */
function DataNote({ row }: { row: FleetRow }) {
  const note = { ok: "", no_traffic: "no traffic", no_data: "not measured", stale: "figures are old" }[row.dataState];
  return note === "" ? null : (
    <span className={styles.note} title={row.dataReason}>
      {note}
    </span>
  );
}

/** The cache keeps unchanged rows as the same objects, so a refresh redraws only what moved. */
const Row = memo(function Row({ row }: { row: FleetRow }) {
  return (
    <>
      <tr role="row">
        <th role="rowheader" scope="row" className={styles.name}>
          <Link to="/teams/$team/pools/$name" params={{ team: row.team, name: row.name }}>
            {row.name}
          </Link>
          <span className={styles.team}>
            {row.team} <DataNote row={row} />
          </span>
        </th>
        {COLUMNS.map(({ title: heading, sort, number, cell }) => (
          <td role="cell" key={sort} data-label={heading} data-number={number}>
            <div>{cell(row)}</div>
          </td>
        ))}
      </tr>
      {row.health !== "Healthy" && row.reason !== "" && (
        <tr role="row" className={styles.why}>
          <td role="cell" colSpan={COLUMNS.length + 1}>
            <code>{row.reason}</code> {row.message}
          </td>
        </tr>
      )}
    </>
  );
});

interface Props {
  groups: Group[];
  view: FleetView;
  onView: (view: FleetView) => void;
}

/**
 * Roles are written out because a narrow window turns rows into cards by CSS, and browsers drop the table's meaning
 * with its display.
 */
export function FleetTable({ groups, view, onView }: Props) {
  return (
    <section className={styles.scroll} aria-label="Pools" tabIndex={0}>
      <table role="table" className={styles.table}>
        <thead role="rowgroup">
          <tr role="row">
            <Heading title="Pool" sort="name" view={view} onView={onView} />
            {COLUMNS.map(({ title, sort, number }) => (
              <Heading key={sort} title={title} sort={sort} number={number} view={view} onView={onView} />
            ))}
          </tr>
        </thead>
        {groups.map(({ title, rows }) => (
          <tbody role="rowgroup" key={title}>
            {title !== "" && (
              <tr role="row" className={styles.group}>
                <th role="rowheader" scope="rowgroup" colSpan={COLUMNS.length + 1}>
                  {title} <span className="muted">{rows.length}</span>
                </th>
              </tr>
            )}
            {rows.map((row) => (
              <Row key={row.uid} row={row} />
            ))}
          </tbody>
        ))}
      </table>
    </section>
  );
}
