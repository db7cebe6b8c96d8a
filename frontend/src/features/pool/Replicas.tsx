import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { replicasQuery } from "../../api/queries";
import type { Replica } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Table, type Column } from "../../ui/Table";
import { Section } from "../../ui/Section";

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

function Pods({ pods, part, zone }: { pods: Replica[]; part: Column<Replica>; zone: Zone }) {
  return (
    <Table
      rows={pods}
      rowKey={({ name }) => name}
      columns={[
        { title: "Pod", cell: ({ name }) => <span className="mono">{name}</span> },
        part,
        { title: "Readiness", cell: Readiness },
        { title: "Phase", cell: ({ phase }) => phase },
        { title: "Node", cell: ({ node }) => node ?? "—" },
        { title: "Restarts", cell: ({ restarts }) => restarts },
        { title: "Age", cell: ({ createdAt }) => <Age of={createdAt} zone={zone} /> },
        { title: "Reason", cell: Why, wide: true },
      ]}
    />
  );
}

export function Replicas({ team, name, zone }: Props) {
  const read = useQuery(replicasQuery(team, name));
  const { data } = read;
  const section = { read };
  const engines = data?.items.filter(({ variant }) => variant !== null);
  const others = data?.items.filter(({ variant }) => variant === null) ?? [];
  return (
    <>
      <Section title="Replicas" data={engines} {...section}>
        {(pods) =>
          pods.length === 0 ? (
            <EmptyState title="No replica is running.">
              <Link to="/teams/$team/pools/$name/scaling" params={{ team, name }}>
                See what was decided about their number
              </Link>
            </EmptyState>
          ) : (
            <Pods pods={pods} zone={zone} part={{ title: "Variant", cell: ({ variant }) => variant }} />
          )
        }
      </Section>
      {others.length > 0 && (
        <Section title="Supporting pods" data={others} {...section}>
          {(pods) => <Pods pods={pods} zone={zone} part={{ title: "Part", cell: ({ component }) => component }} />}
        </Section>
      )}
    </>
  );
}
