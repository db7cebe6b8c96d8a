import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useEffectEvent, useId, useMemo, useState } from "react";
import { fleetQuery } from "../../api/queries";
import { useWritable } from "../../state/rights";
import { Button, buttonLook } from "../../ui/Button";
import { Command } from "../../ui/Command";
import { Icon } from "../../ui/Icon";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Segmented } from "../../ui/Segmented";
import { useTitle } from "../../ui/useTitle";
import { Attention } from "./Attention";
import { FleetTable, SortBy } from "./FleetTable";
import { FleetTotals } from "./FleetTotals";
import styles from "./Fleet.module.css";
import { arrange, readFleetView, type FleetView } from "./view";

const route = getRouteApi("/shell/");

const GROUPS = [
  { value: "none", label: "No groups" },
  { value: "team", label: "By team" },
  { value: "model", label: "By model" },
  { value: "cluster", label: "By cluster" },
] as const;

export function FleetPage() {
  useTitle("Fleet");
  const search = route.useSearch();
  const view = useMemo(() => readFleetView({ ...search }), [search]);
  const navigate = route.useNavigate();
  const read = useQuery({ ...fleetQuery, placeholderData: keepPreviousData });
  const { data, error, refetch } = read;
  const mayWrite = useWritable()?.length !== 0;
  const filterId = useId();
  const show = (next: FleetView) => void navigate({ search: readFleetView({ ...next }), replace: true });

  const items = data?.items;
  // What was pressed answers at once; the rows follow in a frame of their own.
  const wanted = useDeferredValue(view);
  const groups = useMemo(() => arrange(items ?? [], wanted), [items, wanted]);
  if (data === undefined) {
    if (error !== null) return <ErrorPanel isPage error={error} what="The fleet could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="24rem" label="Loading the fleet" />;
  }

  const shown = groups.reduce((count, { rows }) => count + rows.length, 0);
  return (
    <>
      <div className={styles.heading}>
        <h1>Fleet</h1>
        {mayWrite && (
          <Link to="/new" className={buttonLook}>
            <Icon name="plus" /> New pool
          </Link>
        )}
      </div>
      <NotRefreshed read={read} />
      <FleetTotals totals={data.totals} rows={data.items} />
      {data.items.length === 0 ? (
        <div className={styles.frame}>
          <EmptyState title="No pool is declared yet.">
            <p>Declare one from the examples, or from your own file:</p>
            <Command>lamp apply -f examples/quickstart</Command>
            <p>It appears here while it starts; no reload is needed.</p>
          </EmptyState>
        </div>
      ) : (
        <>
          <Attention rows={data.items} />
          {data.truncated && (
            <p className={styles.truncated}>
              Showing the first {data.items.length} of {data.totals.pools} pools; filter and sort reach these only.
            </p>
          )}
          <div className={styles.controls}>
            <div className={styles.filter}>
              <label htmlFor={filterId}>Filter</label>
              <Search id={filterId} value={view.q ?? ""} onChange={(q) => show({ ...view, q })} />
            </div>
            <Segmented
              label="Group"
              value={view.group ?? "none"}
              choices={GROUPS}
              onChange={(by) => show({ ...view, group: by === "none" ? undefined : by })}
            />
            <SortBy view={view} onView={show} />
            <p className="muted" role="status">
              {shown === data.items.length ? `${shown} ${shown === 1 ? "pool" : "pools"}` : `${shown} of ${data.items.length} pools`}
            </p>
          </div>
          <div className={styles.frame}>
            {shown === 0 ? (
              <EmptyState title="No pool matches the filter.">
                <p>Every word must appear in the pool’s name, team, model, cluster or status.</p>
                <Button onClick={() => show({ ...view, q: undefined })}>Clear the filter</Button>
              </EmptyState>
            ) : (
              <FleetTable groups={groups} view={view} onView={show} />
            )}
          </div>
        </>
      )}
    </>
  );
}

const PAUSE_MS = 120;

/** What is typed is seen at once; the address and the list follow when the fingers pause. */
function Search({ id, value, onChange }: { id: string; value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  const [sent, setSent] = useState(value);
  if (value !== seen) {
    setSeen(value);
    // the address changed by another hand, a link or the history; what was sent from here only arrives late
    if (value !== sent) {
      setSent(value);
      setTyped(value);
    }
  }
  const tell = useEffectEvent((text: string) => {
    setSent(text);
    onChange(text);
  });
  useEffect(() => {
    if (typed === sent) return undefined;
    const timer = setTimeout(() => tell(typed), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed, sent]);
  return (
    <input
      id={id}
      type="search"
      value={typed}
      placeholder="name, team, model, cluster, status, SLO"
      onChange={({ target }) => setTyped(target.value)}
    />
  );
}
