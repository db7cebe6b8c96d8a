import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { alertsQuery } from "../../api/slos";
import type { Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";

/** Burn-rate alerts, newest first. */
export function Alerts({ filter, zone }: { filter: { team?: string; slo?: string; pool?: string }; zone: Zone }) {
  const read = useQuery(alertsQuery(filter));
  const { data } = read;
  return (
    <Section title="Alerts" note="of burn rates" data={data?.items} read={read}>
      {(alerts) =>
        alerts.length === 0 ? (
          <EmptyState title="No alert has fired.">
            <Link to="/settings">Be told by a webhook when one does</Link>
          </EmptyState>
        ) : (
          <Table
            rows={alerts}
            rowKey={({ id }) => id}
            columns={[
              {
                title: "SLO",
                cell: ({ team, slo }) => (
                  <Link to="/teams/$team/slos/$name" params={{ team, name: slo }}>
                    {team}/{slo}
                  </Link>
                ),
              },
              {
                title: "State",
                cell: ({ state }) =>
                  state === "firing" ? (
                    <Status icon="triangle" tone="bad" word="Firing" label="Alert" />
                  ) : (
                    <Status icon="check" tone="none" word="Resolved" label="Alert" />
                  ),
              },
              { title: "Severity", cell: ({ severity }) => severity },
              { title: "Began", cell: ({ startedAt }) => <Age of={startedAt} zone={zone} /> },
              { title: "Ended", cell: ({ resolvedAt }) => (resolvedAt === null ? "not yet" : <Age of={resolvedAt} zone={zone} />) },
              { title: "Says", cell: ({ reason, resolution }) => [reason, resolution].filter(Boolean).join(" "), wide: true },
            ]}
          />
        )
      }
    </Section>
  );
}
