import { useQuery } from "@tanstack/react-query";
import { revisionsQuery } from "../../api/queries";
import { zoneOf } from "../../lib/timeRange";
import { Age } from "../../ui/Age";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { usePool } from "./usePool";

/** Every accepted declaration of the pool, newest first. */
export function Revisions() {
  const { metadata } = usePool();
  const { team, name } = metadata;
  const zone = zoneOf(useTimeView()[0]);
  const { data, error, refetch } = useQuery(revisionsQuery(team, name));
  const note = data?.next == null ? undefined : `newest ${data.items.length}`;
  return (
    <Section title="Revisions" note={note} data={data?.items} error={error} onRetry={() => void refetch()}>
      {(revisions) => (
        <Table
          rows={revisions}
          rowKey={({ generation }) => generation}
          columns={[
            { title: "Generation", cell: ({ generation }) => generation },
            { title: "Accepted", cell: ({ acceptedAt }) => <Age of={acceptedAt} zone={zone} /> },
            { title: "Rendered", cell: ({ renderedHash }) => (renderedHash === null ? "—" : <code>{renderedHash.slice(0, 12)}</code>) },
            { title: "Reason", cell: ({ reason }) => reason ?? "—", wide: true },
          ]}
        />
      )}
    </Section>
  );
}
