import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { panelQuery, panelsQuery } from "../../api/queries";
import type { Panel, PanelEntry } from "../../api/types";
import type { Mark } from "../../charts/Marks";
import { ChartCard } from "../../charts/ChartCard";
import { fixedWindow, zoneOf } from "../../lib/timeRange";
import { Button } from "../../ui/Button";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { TimeControl, useTimeView } from "../../ui/TimeControl";
import { groupsOf, usual, withSleepers, type Part } from "./charts";
import styles from "./Pool.module.css";
import { useTracks } from "./tracks";
import { POOL_RANGE } from "./view";

interface Props {
  team: string;
  name: string;
  part: Part;
  /** Charts that say nothing of this pool. */
  without?: readonly string[];
  /** What the page adds to a chart's own series. */
  dress?: <P extends Panel>(panel: P) => P;
  /** Moments to point out on some of the charts. */
  marks?: readonly Mark[];
}

const NOTHING: readonly string[] = [];

/** Charts on which a decision can be seen to work. */
const MARKED = new Set(["replicas", "requests", "queue"]);

function Chart({ entry, team, name, dress, marks }: { entry: PanelEntry } & Omit<Props, "part" | "without">) {
  const [view, show] = useTimeView();
  const read = useQuery(panelQuery(team, name, entry.name, view, POOL_RANGE));
  const { data } = read;
  const dressed = useMemo(() => data && withSleepers(dress === undefined ? data : dress(data)), [data, dress]);
  const panel = useTracks(team, name, entry.name, dressed);
  return (
    <ChartCard
      title={entry.title}
      panel={panel}
      marks={MARKED.has(entry.name) ? marks : undefined}
      read={read}
      zone={zoneOf(view)}
      syncKey={`${team}/${name}`}
      onZoom={({ from, to }) => show({ from, to, tz: view.tz })}
    />
  );
}

/** As many empty cards as the part usually has charts, so that what stands below is where it stays. */
function Coming({ part }: { part: Part }) {
  return usual(part).map(({ title, panels }, nth) => (
    <div key={title} className={styles.group}>
      {title !== "" && <h3>{title}</h3>}
      <div className={styles.charts}>
        {panels.map(({ name }, at) => (
          <Skeleton key={name} height="16.5rem" label={nth + at === 0 ? "Loading the charts" : ""} />
        ))}
      </div>
    </div>
  ));
}

/** The charts of one part of a pool's pages, below the control of what stretch of time they show. */
export function Charts({ team, name, part, without = NOTHING, dress, marks }: Props) {
  const { data, error, refetch } = useQuery(panelsQuery(team, name));
  const [view] = useTimeView();
  const groups = data === undefined ? undefined : groupsOf(part, data.items.filter((entry) => !without.includes(entry.name)));
  return (
    <section aria-labelledby="charts">
      <div className={styles.controls}>
        <h2 id="charts">{fixedWindow(view) === undefined ? "Now" : "Then"}</h2>
        <TimeControl fallback={POOL_RANGE} />
      </div>
      {groups === undefined && error !== null && (
        <ErrorPanel error={error} what="The charts could not be loaded." onRetry={() => void refetch()} />
      )}
      {groups === undefined && error === null && <Coming part={part} />}
      {groups !== undefined && groups.every(({ panels }) => panels.length === 0) && (
        <EmptyState title="This server has no charts for this part.">
          <Button onClick={() => void refetch()}>Look again</Button>
        </EmptyState>
      )}
      {groups?.map(({ title, panels }) => (
        <div key={title} className={styles.group}>
          {title !== "" && <h3>{title}</h3>}
          <div className={styles.charts}>
            {panels.map((entry) => (
              <Chart key={entry.name} entry={entry} team={team} name={name} dress={dress} marks={marks} />
            ))}
          </div>
        </div>
      ))}
    </section>
  );
}
