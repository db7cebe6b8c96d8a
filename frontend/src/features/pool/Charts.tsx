import { useQuery } from "@tanstack/react-query";
import { panelQuery, panelsQuery } from "../../api/queries";
import type { PanelEntry } from "../../api/types";
import { ChartCard } from "../../charts/ChartCard";
import type { Zone } from "../../lib/time";
import { ErrorPanel, Skeleton } from "../../ui/Message";
import styles from "./Pool.module.css";

interface Props {
  team: string;
  name: string;
  rangeSeconds: number;
  zone: Zone;
}

/** What people look at first; panels that the server adds later follow in its order. */
const FIRST = ["ttft", "itl", "prompt_tokens_by_source", "hit_rate", "queue", "kv_usage", "e2e", "throughput", "requests", "replicas"];

export function order(panels: readonly PanelEntry[]): PanelEntry[] {
  const place = ({ name }: PanelEntry) => (FIRST.includes(name) ? FIRST.indexOf(name) : FIRST.length);
  return panels.toSorted((a, b) => place(a) - place(b));
}

function Chart({ entry, team, name, rangeSeconds, zone }: Props & { entry: PanelEntry }) {
  const { data, error, refetch } = useQuery(panelQuery(team, name, entry.name, rangeSeconds));
  return (
    <ChartCard
      title={entry.title}
      panel={data}
      error={error}
      onRetry={() => void refetch()}
      zone={zone}
      syncKey={`${team}/${name}`}
    />
  );
}

export function Charts(props: Props) {
  const { data, error, refetch } = useQuery(panelsQuery(props.team, props.name));
  if (data === undefined) {
    if (error !== null) return <ErrorPanel error={error} what="The charts could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="16rem" label="Loading the charts" />;
  }
  return (
    <section aria-labelledby="charts" className={styles.charts}>
      <h2 id="charts" className="visually-hidden">
        Charts
      </h2>
      {order(data.items).map((entry) => (
        <Chart key={entry.name} {...props} entry={entry} />
      ))}
    </section>
  );
}
