import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { slosQuery } from "../../api/queries";
import { EmptyState } from "../../ui/Message";
import { Page } from "../../ui/Page";
import { ReadyStatus, readySentence } from "../../ui/ReadyStatus";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";

export function SlosPage() {
  const { data, error, refetch } = useQuery(slosQuery);
  return (
    <Page title="SLOs">
      <Section title="Declared objectives" data={data?.items} error={error} onRetry={() => void refetch()}>
        {(slos) =>
          slos.length === 0 ? (
            <EmptyState title="No SLO is declared yet.">
              <p>An SLO says what a pool’s users may expect; examples/quickstart/slo.yaml is one to start from.</p>
            </EmptyState>
          ) : (
            <Table
              rows={slos}
              rowKey={({ metadata }) => metadata.uid}
              columns={[
                { title: "SLO", cell: ({ metadata }) => `${metadata.team}/${metadata.name}` },
                { title: "Status", cell: ({ status }) => <ReadyStatus conditions={status.conditions} /> },
                {
                  title: "Pool",
                  cell: ({ metadata, spec }) => (
                    <Link to="/teams/$team/pools/$name" params={{ team: metadata.team, name: spec.targetRef.name }}>
                      {spec.targetRef.name}
                    </Link>
                  ),
                },
                { title: "Measured at", cell: ({ spec }) => spec.measuredAt ?? "" },
                {
                  title: "Objectives",
                  wide: true,
                  cell: ({ spec }) => (
                    <ul style={{ listStyle: "none" }}>
                      {spec.objectives.map((objective) => (
                        <li key={JSON.stringify(objective)}>
                          {objective.fraction} of {objective.metric.toUpperCase()} within {objective.threshold} over {objective.window}
                        </li>
                      ))}
                    </ul>
                  ),
                },
                { title: "Says", wide: true, cell: ({ status }) => readySentence(status.conditions) },
              ]}
            />
          )
        }
      </Section>
    </Page>
  );
}
