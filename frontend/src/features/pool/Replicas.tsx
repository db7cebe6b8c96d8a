import { useQuery } from "@tanstack/react-query";
import { replicasQuery } from "../../api/queries";
import type { Replica } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Section } from "./Section";

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

function Why({ reason, message }: Replica) {
  if (!reason && !message) return null;
  return (
    <>
      {reason && <code>{reason}</code>} {message}
    </>
  );
}

export function Replicas({ team, name, zone }: Props) {
  const { data, error, refetch } = useQuery(replicasQuery(team, name));
  return (
    <Section title="Replicas" data={data?.items} error={error} onRetry={() => void refetch()}>
      {(replicas) =>
        replicas.length === 0 ? (
          <EmptyState title="No replica is running." />
        ) : (
          <Table
            rows={replicas}
            rowKey={(replica) => replica.name}
            columns={[
              { title: "Pod", cell: (replica) => <span className="mono">{replica.name}</span> },
              { title: "Variant", cell: (replica) => replica.variant ?? "—" },
              { title: "Readiness", cell: Readiness },
              { title: "Phase", cell: (replica) => replica.phase },
              { title: "Node", cell: (replica) => replica.node ?? "—" },
              { title: "Restarts", cell: (replica) => replica.restarts },
              { title: "Age", cell: (replica) => <Age of={replica.createdAt} zone={zone} /> },
              { title: "Reason", cell: Why, wide: true },
            ]}
          />
        )
      }
    </Section>
  );
}
