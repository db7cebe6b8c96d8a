import { useQuery } from "@tanstack/react-query";
import { eventsQuery } from "../../api/queries";
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

export function Events({ team, name, zone }: Props) {
  const { data, error, refetch } = useQuery(eventsQuery(team, name));
  const note = data?.next == null ? undefined : `newest ${data.items.length}`;
  return (
    <Section title="Events" note={note} data={data?.items} error={error} onRetry={() => void refetch()}>
      {(events) =>
        events.length === 0 ? (
          <EmptyState title="Nothing has happened to this pool yet." />
        ) : (
          <table className={styles.table}>
            <thead>
              <tr>
                <th scope="col">Last seen</th>
                <th scope="col">Type</th>
                <th scope="col">Reason</th>
                <th scope="col">Message</th>
                <th scope="col">Count</th>
                <th scope="col">Source</th>
              </tr>
            </thead>
            <tbody>
              {events.map((event) => (
                <tr key={event.id}>
                  <td>
                    <Age of={event.lastSeen} zone={zone} />
                  </td>
                  <td>
                    {event.type === "Warning" ? (
                      <Status icon="triangle" tone="warn" word="Warning" label="Type" />
                    ) : (
                      event.type
                    )}
                  </td>
                  <td>
                    <code>{event.reason}</code>
                  </td>
                  <td className={styles.wide}>{event.message}</td>
                  <td className="number">{event.count}</td>
                  <td>{event.source}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )
      }
    </Section>
  );
}
