import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { slosQuery } from "../../api/queries";
import { standingOf } from "../../api/slos";
import type { SLO } from "../../api/types";
import { format, percent, UNKNOWN } from "../../lib/units";
import { zoneOf } from "../../lib/timeRange";
import { EmptyState } from "../../ui/Message";
import { Page } from "../../ui/Page";
import { ReadyStatus, readySentence } from "../../ui/ReadyStatus";
import { Section } from "../../ui/Section";
import { SloStatus } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { SLO_ORDER } from "../fleet/slo";
import { Alerts } from "./Alerts";
import { SloTarget } from "./SloTarget";

/** What needs a person first, first. */
function byUrgency(slos: readonly SLO[]): SLO[] {
  const place = (slo: SLO) => (SLO_ORDER.indexOf(standingOf(slo).state ?? "NoData") + SLO_ORDER.length) % SLO_ORDER.length;
  return slos.toSorted((a, b) => place(a) - place(b) || a.metadata.name.localeCompare(b.metadata.name));
}

export function SlosPage() {
  const { data, error, refetch } = useQuery(slosQuery);
  const zone = zoneOf(useTimeView()[0]);
  return (
    <Page title="SLOs">
      <Section title="Objectives" note="each SLO by its worst one" data={data?.items} error={error} onRetry={() => void refetch()}>
        {(slos) =>
          slos.length === 0 ? (
            <EmptyState title="No SLO is declared yet.">
              <p>An SLO says what a pool’s users may expect; examples/quickstart/slo.yaml is one to start from.</p>
            </EmptyState>
          ) : (
            <Table
              rows={byUrgency(slos)}
              rowKey={({ metadata }) => metadata.uid}
              columns={[
                {
                  title: "SLO",
                  cell: ({ metadata }) => (
                    <Link to="/teams/$team/slos/$name" params={{ team: metadata.team, name: metadata.name }}>
                      {metadata.team}/{metadata.name}
                    </Link>
                  ),
                },
                {
                  title: "State",
                  cell: (slo) => {
                    const { state } = standingOf(slo);
                    return state === undefined ? <ReadyStatus conditions={slo.status.conditions} /> : <SloStatus value={state} />;
                  },
                },
                {
                  title: "Of",
                  cell: (slo) => <SloTarget slo={slo} />,
                },
                { title: "Attained", cell: (slo) => format(standingOf(slo).summary?.attained, "1") },
                {
                  title: "Budget left",
                  cell: (slo) => {
                    const left = standingOf(slo).summary?.budgetLeft;
                    return left == null ? UNKNOWN : percent(left);
                  },
                },
                { title: "Burns", cell: (slo) => format(standingOf(slo).summary?.burnRate, "×") },
                {
                  title: "Says",
                  wide: true,
                  cell: (slo) => standingOf(slo).summary?.message ?? readySentence(slo.status.conditions),
                },
              ]}
            />
          )
        }
      </Section>
      <Alerts filter={{}} zone={zone} />
    </Page>
  );
}
