import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { eventsQuery } from "../../api/queries";
import type { TimelineEvent } from "../../api/types";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Section } from "../../ui/Section";

interface Props {
  team: string;
  name: string;
  zone: Zone;
}

function Type({ type }: TimelineEvent) {
  return type === "Warning" ? <Status icon="triangle" tone="warn" word="Warning" label="Type" /> : type;
}

export function Events({ team, name, zone }: Props) {
  const read = useQuery(eventsQuery(team, name));
  const { data } = read;
  const note = data?.next == null ? undefined : `newest ${data.items.length}`;
  return (
    <Section title="Events" note={note} data={data?.items} read={read}>
      {(events) =>
        events.length === 0 ? (
          <EmptyState title="Nothing has happened to this pool yet.">
            <Link to="/timeline" search={{ team, kind: "Pool", name, range: "7d" }}>
              Who changed it, in the timeline
            </Link>
          </EmptyState>
        ) : (
          <Table
            rows={events}
            rowKey={({ id }) => id}
            columns={[
              { title: "Reason", cell: ({ reason }) => <code>{reason}</code> },
              { title: "Last seen", cell: ({ lastSeen }) => <Age of={lastSeen} zone={zone} /> },
              { title: "Type", cell: Type },
              { title: "Message", cell: ({ message }) => message, wide: true },
              { title: "Count", cell: ({ count }) => count },
              { title: "Source", cell: ({ source }) => source },
            ]}
          />
        )
      }
    </Section>
  );
}
