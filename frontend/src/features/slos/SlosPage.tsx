import { useQuery } from "@tanstack/react-query";
import { slosQuery } from "../../api/queries";
import { zoneOf } from "../../lib/timeRange";
import { Command } from "../../ui/Command";
import { EmptyState } from "../../ui/Message";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { useTimeView } from "../../ui/TimeControl";
import { Alerts } from "./Alerts";
import { SloTable } from "./SloTable";

export function SlosPage() {
  const read = useQuery(slosQuery);
  const { data } = read;
  const zone = zoneOf(useTimeView()[0]);
  return (
    <Page title="SLOs">
      <Section title="Objectives" note="each SLO by its worst one" data={data?.items} read={read}>
        {(slos) =>
          slos.length === 0 ? (
            <EmptyState title="No SLO is declared yet.">
              <p>An SLO says what a pool’s users may expect. Declare one from the examples, or from your own file:</p>
              <Command>lamp apply -f examples/quickstart/slo.yaml</Command>
            </EmptyState>
          ) : (
            <SloTable slos={slos} />
          )
        }
      </Section>
      <Alerts filter={{}} zone={zone} />
    </Page>
  );
}
