import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { routeQuery, type Candidate, type Route } from "../../api/routes";
import { format, UNKNOWN } from "../../lib/units";
import { ErrorPanel, Skeleton } from "../../ui/Message";
import { Table } from "../../ui/Table";
import styles from "./Playground.module.css";

/** Why the endpoint picker sent this request where it did: the sentence, and the table of candidates. */
export function Why({ team, name, id }: { team: string; name: string; id: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details className={styles.why} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>Why this replica</summary>
      {open && <Told team={team} name={name} id={id} />}
    </details>
  );
}

function Told({ team, name, id }: { team: string; name: string; id: string }) {
  const { data, error, refetch } = useQuery(routeQuery(team, name, id));
  if (data === undefined) {
    if (error !== null) return <ErrorPanel error={error} what="The gateway does not say why." onRetry={() => void refetch()} />;
    return <Skeleton height="8rem" label="Loading why" />;
  }
  return (
    <>
      <p>{data.reason}</p>
      {data.profiles.map((profile) => (
        <Profile key={profile.name} of={profile} isAlone={data.profiles.length === 1} />
      ))}
    </>
  );
}

/** Without the namespace and port that all of them share. */
const short = (endpoint: string) => endpoint.replace(/^[^/]*\//, "").replace(/:\d+$/, "");

function prefixOf({ prefix }: Candidate): string {
  const found = Object.values(prefix ?? {})[0];
  return found === undefined ? UNKNOWN : `${found.matchedTokens} tokens`;
}

function Profile({ of, isAlone }: { of: Route["profiles"][number]; isAlone: boolean }) {
  const plugins = [...new Set(of.candidates.flatMap(({ scores }) => scores.map(({ plugin }) => plugin)))];
  return (
    <div className={styles.candidates} tabIndex={0} role="group" aria-label={`Candidates of ${of.name}`}>
      {!isAlone && <h4>{of.name}</h4>}
      <Table
        rows={of.candidates}
        rowKey={({ endpoint }) => endpoint}
        isStale={({ droppedBy }) => droppedBy !== null}
        columns={[
          { title: "Replica", cell: ({ endpoint }) => `${short(endpoint)}${endpoint === of.winner ? " (chosen)" : ""}` },
          { title: "In all", cell: ({ total, droppedBy }) => (droppedBy === null ? (total?.toFixed(2) ?? UNKNOWN) : `taken out by ${droppedBy}`) },
          ...plugins.map((plugin) => ({
            title: plugin,
            cell: ({ scores }: Candidate) => {
              const score = scores.find((one) => one.plugin === plugin);
              return score === undefined ? UNKNOWN : `${score.weighted.toFixed(2)} (${score.raw.toFixed(2)} × ${score.weight})`;
            },
          })),
          { title: "Waiting, running", cell: ({ load }) => (load === null ? "not read" : `${load.waiting}, ${load.running}`) },
          { title: "KV in use", cell: ({ load }) => format(load?.kvUsage, "1") },
          { title: "Holds of the prompt", cell: prefixOf },
        ]}
      />
    </div>
  );
}
