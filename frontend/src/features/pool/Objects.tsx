import { useQuery } from "@tanstack/react-query";
import { objectsQuery } from "../../api/queries";
import { zoneOf } from "../../lib/timeRange";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { Events } from "./Events";
import { Replicas } from "./Replicas";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

/** What Kubernetes holds for the pool. */
export function Objects() {
  const { metadata } = usePool();
  const { team, name, generation } = metadata;
  const zone = zoneOf(useTimeView()[0]);
  const { data, error, refetch } = useQuery(objectsQuery(team, name));
  return (
    <div className={styles.stack}>
      <Section title="Objects" note="owned by this pool, as its cluster holds them now" data={data?.items} error={error} onRetry={() => void refetch()}>
        {(objects) =>
          objects.length === 0 ? (
            <EmptyState title="The cluster holds no object of this pool." />
          ) : (
            <Table
              rows={objects}
              rowKey={({ uid }) => uid}
              columns={[
                { title: "Name", cell: (object) => <span className="mono">{object.name}</span> },
                { title: "Kind", cell: ({ kind }) => kind },
                { title: "API", cell: ({ apiVersion }) => apiVersion },
                { title: "Namespace", cell: ({ namespace }) => namespace ?? "—" },
                {
                  title: "Generation",
                  cell: (object) =>
                    object.generation === null || object.generation === String(generation)
                      ? (object.generation ?? "—")
                      : `${object.generation}, declared is ${generation}`,
                },
                { title: "Age", cell: ({ createdAt }) => <Age of={createdAt} zone={zone} /> },
              ]}
            />
          )
        }
      </Section>
      <Replicas team={team} name={name} zone={zone} />
      <Events team={team} name={name} zone={zone} />
    </div>
  );
}
