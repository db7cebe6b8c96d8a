import { useQuery } from "@tanstack/react-query";
import { replicasQuery } from "../../api/queries";
import type { Replica } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Section } from "./Section";
import styles from "./Pool.module.css";

interface Props {
  team: string;
  name: string;
  zone: Zone;
}

function Readiness({ ready, phase }: Replica) {
  if (ready) return <Status icon="check" tone="ok" word="Ready" label="Readiness" />;
  if (phase === "Failed") return <Status icon="triangle" tone="bad" word="Not ready" label="Readiness" />;
  return <Status icon="half" tone="info" word="Not ready" label="Readiness" />;
}

export function Replicas({ team, name, zone }: Props) {
  const { data, error, refetch } = useQuery(replicasQuery(team, name));
  return (
    <Section title="Replicas" data={data?.items} error={error} onRetry={() => void refetch()}>
      {(replicas) =>
        replicas.length === 0 ? (
          <EmptyState title="No replica is running." />
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Pod</th>
                <th scope="col">Variant</th>
                <th scope="col">Readiness</th>
                <th scope="col">Phase</th>
                <th scope="col">Node</th>
                <th scope="col">Restarts</th>
                <th scope="col">Age</th>
                <th scope="col">Reason</th>
              </tr>
            </thead>
            <tbody>
              {replicas.map((replica) => (
                <tr key={replica.name}>
                  <th scope="row" className="mono">
                    {replica.name}
                  </th>
                  <td>{replica.variant ?? "—"}</td>
                  <td>
                    <Readiness {...replica} />
                  </td>
                  <td>{replica.phase}</td>
                  <td>{replica.node ?? "—"}</td>
                  <td className="number">{replica.restarts}</td>
                  <td>
                    <Age of={replica.createdAt} zone={zone} />
                  </td>
                  <td className={styles.wide}>
                    {replica.reason !== null && replica.reason !== "" && <code>{replica.reason}</code>} {replica.message}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        )
      }
    </Section>
  );
}
