import { Link } from "@tanstack/react-router";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { memo, useLayoutEffect, useMemo, useRef, useState, type ReactNode, type Ref } from "react";
import type { Attainment, FleetRow } from "../../api/types";
import { awake } from "../../lib/replicas";
import { format, money, moneyPerDay, percent, UNKNOWN } from "../../lib/units";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Icon } from "../../ui/Icon";
import { HealthStatus, SloStatus, SyncStatus } from "../../ui/Status";
import { needsAttention } from "./need";
import styles from "./Fleet.module.css";
import { metricName, worst } from "./slo";
import { readFleetView, sortBy, type FleetView, type Group, type Sort } from "./view";

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
      {slo !== undefined && slo.threshold !== null && (
        <span className={styles.slo} data-met={slo.met ?? "unknown"}>
          {slo.met === false && <Icon name="triangle" size={12} />}≤ {format(slo.threshold, "s")}
          <span className="visually-hidden">
            {slo.met === null ? "; objective not decided" : slo.met ? "; objective met" : "; objective missed"}
          </span>
        </span>
      )}
    </>
  );
}

/** The objective that needs attention most, in words and figures. */
function Slo({ row }: { row: FleetRow }) {
  const speaks = worst(row.slo);
  if (speaks === undefined) return <span className="muted">none</span>;
  return (
    <div title={speaks.message}>
      <SloStatus value={speaks.state} />
      <span className={styles.team}>
        {metricName(speaks.metric)} {speaks.attained === null ? UNKNOWN : percent(speaks.attained)}, goal {percent(speaks.fraction)}
      </span>
    </div>
  );
}

function Budget({ row }: { row: FleetRow }) {
  const speaks = worst(row.slo);
  if (speaks === undefined || speaks.budgetLeft === null) return UNKNOWN;
  return (
    <>
      {percent(speaks.budgetLeft)}
      {speaks.burnRate !== null && (
        <span className={styles.slo} data-met={(speaks.firing ?? 0) === 0}>
          {(speaks.firing ?? 0) > 0 && <Icon name="triangle" size={12} />}burns {format(speaks.burnRate, "×")}
        </span>
      )}
    </>
  );
}

function Replicas({ row }: { row: FleetRow }) {
  const { desired, starting, asleep } = row.replicas;
  const holds = asleep ? `${asleep} asleep` : `${row.accelerators ?? UNKNOWN} accel.`;
  return (
    <>
      {awake(row.replicas) ?? UNKNOWN} / {desired ?? UNKNOWN}
      <span className={styles.slo}>
        {starting !== null && starting > 0 ? `${starting} starting` : holds}
      </span>
    </>
  );
}

function Cost({ row }: { row: FleetRow }) {
  return (
    <>
      {moneyPerDay(row.costPerHour, row.currency)}
      {row.costPerMillionTokens !== null && (
        <span className={styles.slo}>{money(row.costPerMillionTokens, row.currency, "Mtok")}</span>
      )}
    </>
  );
}

const COLUMNS: Column[] = [
  {
    sort: "health",
    title: "Health, sync",
    cell: (row) => (
      <div className={styles.two}>
        <HealthStatus value={row.health} />
        <SyncStatus value={row.sync} />
      </div>
    ),
  },
  { sort: "slo", title: "SLO", cell: (row) => <Slo row={row} /> },
  { sort: "budget", title: "Budget left", number: true, cell: (row) => <Budget row={row} /> },
  {
    sort: "ttft",
    title: "TTFT p95",
    number: true,
    cell: (row) => (
      <>
        <Latency value={row.ttftP95} slo={objective(row, "ttft")} />
        <span className={styles.folded}>ITL {format(row.itlP95, "s")}</span>
      </>
    ),
  },
  {
    sort: "itl",
    title: "ITL p95",
    number: true,
    cell: (row) => <Latency value={row.itlP95} slo={objective(row, "itl")} />,
  },
  { sort: "replicas", title: "Ready", number: true, cell: (row) => <Replicas row={row} /> },
  {
    sort: "tokens",
    title: "Generated",
    number: true,
    cell: (row) => (
      <>
        {format(row.tokensPerSecond, "tokens/s")}
        <span className={styles.slo}>{format(row.requestsPerSecond, "requests/s")}</span>
      </>
    ),
  },
  { sort: "hits", title: "Cache hits", number: true, cell: (row) => format(row.hitRate, "1") },
  { sort: "cost", title: "Cost", number: true, cell: (row) => <Cost row={row} /> },
  { sort: "changed", title: "Changed", number: true, cell: (row) => <Age of={row.updatedAt} /> },
];

const SORTABLE = [{ sort: "name", title: "Pool" } as const, ...COLUMNS.map(({ sort, title }) => ({ sort, title }))];

/** Where headings are folded away or turned into cards, the order is chosen here. */
export function SortBy({ view, onView }: Pick<Props, "view" | "onView">) {
  const down = view.order === "desc";
  return (
    <div className={styles.sortBy}>
      <label>
        Sort by{" "}
        <select value={view.sort ?? "name"} onChange={({ target }) => onView(readFleetView({ ...view, sort: target.value, order: undefined }))}>
          {SORTABLE.map(({ sort, title }) => (
            <option key={sort} value={sort}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <Button aria-label={down ? "Descending; turn around" : "Ascending; turn around"} onClick={() => onView(sortBy(view, view.sort ?? "name"))}>
        <Icon name={down ? "down" : "up"} />
      </Button>
    </div>
  );
}

function Heading({ title, sort, number, view, onView }: Omit<Column, "cell"> & Pick<Props, "view" | "onView">) {
  const sorted = (view.sort ?? "name") === sort;
  const down = view.order === "desc";
  return (
    <th
      role="columnheader"
      scope="col"
      data-number={number}
      data-column={sort}
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
      <span className="visually-hidden">{row.dataReason === "" ? "" : `: ${row.dataReason}`}</span>
    </span>
  );
}

interface BodyProps {
  /** Its place among all rows, where not all of them are drawn. */
  index?: number;
  measure?: Ref<HTMLTableSectionElement>;
}

/** The cache keeps unchanged rows as the same objects, so a refresh redraws only what moved. */
const Row = memo(function Row({ row, index, measure }: BodyProps & { row: FleetRow }) {
  return (
    <tbody role="rowgroup" ref={measure} data-index={index}>
      <tr role="row" aria-rowindex={index === undefined ? undefined : index + 2}>
        <th role="rowheader" scope="row" className={styles.name}>
          <Link to="/teams/$team/pools/$name" params={{ team: row.team, name: row.name }}>
            {row.name}
          </Link>
          <span className={styles.team}>
            {row.team} · {row.cluster} <DataNote row={row} />
          </span>
          <span className={styles.team}>{row.model}</span>
          <span className={styles.folded}>
            changed <Age of={row.updatedAt} /> ago
          </span>
        </th>
        {COLUMNS.map(({ title: heading, sort, number, cell }) => (
          <td role="cell" key={sort} data-label={heading} data-number={number} data-column={sort}>
            <div>{cell(row)}</div>
          </td>
        ))}
      </tr>
      {row.health !== "Healthy" && row.reason !== "" && !needsAttention(row) && (
        <tr role="row" className={styles.why}>
          <td role="cell" colSpan={COLUMNS.length + 1}>
            <code>{row.reason}</code> {row.message}
          </td>
        </tr>
      )}
      {/* a pool that is said to be well, of which nobody knows how it serves */}
      {row.health === "Healthy" && (row.dataState === "no_data" || row.dataState === "stale") && row.dataReason !== "" && (
        <tr role="row" className={styles.why}>
          <td role="cell" colSpan={COLUMNS.length + 1}>
            <Icon name="triangle" size={12} /> {row.dataReason}
          </td>
        </tr>
      )}
    </tbody>
  );
});

function GroupTitle({ title, count, index, measure }: BodyProps & { title: string; count: number }) {
  return (
    <tbody role="rowgroup" ref={measure} data-index={index}>
      <tr role="row" className={styles.group} aria-rowindex={index === undefined ? undefined : index + 2}>
        <th role="rowheader" scope="rowgroup" colSpan={COLUMNS.length + 1}>
          {title} <span className="muted">{count}</span>
        </th>
      </tr>
    </tbody>
  );
}

type Item = { key: string; row: FleetRow } | { key: string; title: string; count: number };

function flat(groups: Group[]): Item[] {
  return groups.flatMap(({ title, rows }) => [
    ...(title === "" ? [] : [{ key: `group ${title}`, title, count: rows.length }]),
    ...rows.map((row) => ({ key: row.uid, row })),
  ]);
}

/** A short list is drawn whole, so that the browser's own search finds everything in it. */
const WHOLE = 80;
const ROW_HEIGHT = 74;

interface Props {
  groups: Group[];
  view: FleetView;
  onView: (view: FleetView) => void;
}

function body(item: Item, index?: number, measure?: Ref<HTMLTableSectionElement>) {
  return "row" in item ? (
    <Row key={item.key} row={item.row} index={index} measure={measure} />
  ) : (
    <GroupTitle key={item.key} title={item.title} count={item.count} index={index} measure={measure} />
  );
}

/** Rows in view and a few around them; empty bodies as high as the rest stand for it. */
const Window = memo(function Window({ items }: { items: Item[] }) {
  const place = useRef<HTMLTableSectionElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => setTop((place.current?.getBoundingClientRect().top ?? 0) + scrollY), []);
  // oxlint-disable-next-line react/incompatible-library -- nothing here is memoized with what it returns
  const virtual = useWindowVirtualizer({
    count: items.length,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => items[index]?.key ?? index,
    overscan: 6,
    scrollMargin: top,
  });
  const shown = virtual.getVirtualItems();
  const before = (shown[0]?.start ?? top) - top;
  const after = virtual.getTotalSize() - ((shown.at(-1)?.end ?? top) - top);
  return (
    <>
      <Gap height={before} place={place} />
      {shown.map(({ index }) => {
        const item = items[index];
        return item === undefined ? null : body(item, index, virtual.measureElement);
      })}
      <Gap height={after} />
    </>
  );
});

function Gap({ height, place }: { height: number; place?: Ref<HTMLTableSectionElement> }) {
  return (
    <tbody aria-hidden="true" ref={place} className={styles.gap}>
      <tr style={{ height }} />
    </tbody>
  );
}

/**
 * Roles are written out because a narrow window turns rows into cards by CSS, and browsers drop the table's meaning
 * with its display.
 */
export function FleetTable({ groups, view, onView }: Props) {
  const items = useMemo(() => flat(groups), [groups]);
  return (
    <section className={styles.scroll} aria-label="Pools" tabIndex={0}>
      <table role="table" className={styles.table} aria-rowcount={items.length > WHOLE ? items.length + 1 : undefined}>
        <thead role="rowgroup">
          <tr role="row" aria-rowindex={items.length > WHOLE ? 1 : undefined}>
            <Heading title="Pool" sort="name" view={view} onView={onView} />
            {COLUMNS.map(({ title, sort, number }) => (
              <Heading key={sort} title={title} sort={sort} number={number} view={view} onView={onView} />
            ))}
          </tr>
        </thead>
        {items.length > WHOLE ? <Window items={items} /> : items.map((item) => body(item))}
      </table>
    </section>
  );
}
