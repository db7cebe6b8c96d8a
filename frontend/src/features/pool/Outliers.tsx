import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { replicaSignalsQuery, type ReplicaSignals } from "../../api/outliers";
import { format, UNKNOWN } from "../../lib/units";
import type { IconName } from "../../ui/Icon";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import { Table } from "../../ui/Table";

const LOOKS: Record<ReplicaSignals["state"], { icon: IconName; tone: Tone; word: string }> = {
  ok: { icon: "check", tone: "ok", word: "As its peers" },
  outlier: { icon: "triangle", tone: "warn", word: "Outlier" },
  alone: { icon: "minus", tone: "none", word: "No peers" },
  no_traffic: { icon: "pause", tone: "none", word: "No traffic" },
  silent: { icon: "hollow", tone: "bad", word: "Silent" },
};

const FIGURES = [
  ["ttft_p95", "TTFT p95"],
  ["itl_p95", "ITL p95"],
  ["requests", "Requests"],
  ["waiting", "Waiting"],
  ["kv", "KV in use"],
  ["hit_rate", "Cache hits"],
] as const;

/** Replicas that are not as the others of their variant: slow, idle or silent ones hide in a pool's average. */
export function Outliers({ team, name }: { team: string; name: string }) {
  const read = useQuery(replicaSignalsQuery(team, name));
  const { data } = read;
  const note = data === undefined ? undefined : `each beside the median of its peers; ${data.summary.outliers} ${data.summary.outliers === 1 ? "outlier" : "outliers"}, ${data.summary.silent} silent`;
  return (
    <Section title="Replicas beside their peers" note={note} data={data?.items} read={read}>
      {(rows) =>
        rows.length === 0 ? (
          <EmptyState title="No replica was read in the last minutes.">
            <Link to="/teams/$team/pools/$name" params={{ team, name }}>
              See which replicas there are, and whether they answer
            </Link>
          </EmptyState>
        ) : (
          <Table
            rows={rows}
            rowKey={({ name: pod }) => pod}
            columns={[
              { title: "Replica", cell: ({ name: pod }) => <span className="mono">{pod}</span> },
              { title: "State", cell: ({ state }) => <Status {...LOOKS[state]} label="State" /> },
              ...FIGURES.map(([key, title]) => ({
                title,
                cell: ({ figures }: ReplicaSignals) => {
                  const figure = figures[key];
                  if (figure === undefined || figure.value === null) return UNKNOWN;
                  return `${format(figure.value, figure.unit)}${figure.outlier ? ` (peers ${format(figure.peers, figure.unit)})` : ""}`;
                },
              })),
              { title: "Says", wide: true, cell: ({ findings, reason }) => [...findings, reason].filter(Boolean).join(" ") },
            ]}
          />
        )
      }
    </Section>
  );
}
