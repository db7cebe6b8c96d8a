import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { acceleratorsQuery, endpointsQuery, fleetQuery, modelsQuery } from "../../api/queries";
import { bytes, counted, UNKNOWN } from "../../lib/units";
import { Command } from "../../ui/Command";
import { EmptyState } from "../../ui/Message";
import { Page } from "../../ui/Page";
import { ReadyStatus } from "../../ui/ReadyStatus";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";
import { sharesOf } from "../endpoints/shares";
import styles from "./Models.module.css";

export function ModelsPage() {
  const read = useQuery(modelsQuery);
  const { data } = read;
  const { data: fleet } = useQuery(fleetQuery);
  const endpoints = useQuery(endpointsQuery);
  const accelerators = useQuery(acceleratorsQuery);
  return (
    <Page title="Models">
      <Section title="Declared models" data={data?.items} read={read}>
        {(models) =>
          models.length === 0 ? (
            <EmptyState title="No model is declared yet.">
              <p>A model says where its weights are. Declare one from the examples, or from your own file:</p>
              <Command>lamp apply -f examples/quickstart/model.yaml</Command>
            </EmptyState>
          ) : (
            <Table
              rows={models}
              rowKey={({ metadata }) => metadata.uid}
              columns={[
                {
                  title: "Model",
                  cell: ({ metadata, spec }) => (
                    <>
                      {metadata.team}/{metadata.name}
                      {spec.servedName != null && spec.servedName !== metadata.name && <span className={styles.served}>served as {spec.servedName}</span>}
                    </>
                  ),
                },
                { title: "Status", cell: ({ status }) => <ReadyStatus conditions={status.conditions} /> },
                {
                  title: "Weights",
                  cell: ({ spec }) => (
                    <>
                      <span className="mono">{spec.source}</span> <span className="muted">revision {spec.revision ?? UNKNOWN}</span>
                    </>
                  ),
                  wide: true,
                },
                {
                  title: "Parameters",
                  cell: ({ spec }) => (spec.shape?.parameters == null ? UNKNOWN : counted(spec.shape.parameters)),
                },
                {
                  title: "KV per token",
                  cell: ({ status }) => (typeof status.kvBytesPerToken === "number" ? bytes(status.kvBytesPerToken) : UNKNOWN),
                },
                {
                  title: "Pools",
                  cell: ({ metadata }) => {
                    const pools = fleet?.items.filter(({ model, team }) => model === metadata.name && (team === metadata.team || metadata.team === "platform")) ?? [];
                    if (pools.length === 0) return "none";
                    return (
                      <ul className={styles.pools}>
                        {pools.slice(0, 5).map(({ team, name, uid }) => (
                          <li key={uid}>
                            <Link to="/teams/$team/pools/$name" params={{ team, name }}>
                              {name}
                            </Link>
                          </li>
                        ))}
                        {pools.length > 5 && <li>and {pools.length - 5} more</li>}
                      </ul>
                    );
                  },
                },
              ]}
            />
          )
        }
      </Section>
      <Section
        title="Endpoints"
        note="public model names in front of pools"
        data={endpoints.data?.items}
        read={endpoints}
      >
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState title="No Endpoint is declared yet.">
              <p>Every pool has an address of its own; an Endpoint puts one address with weights and fail-over in front of several (docs/api/endpoints.md). Write one, then declare it:</p>
              <Command>lamp apply -f endpoint.yaml</Command>
            </EmptyState>
          ) : (
            <Table
              rows={rows}
              rowKey={({ metadata }) => metadata.uid}
              columns={[
                {
                  title: "Endpoint",
                  cell: ({ metadata: { team, name } }) => (
                    <Link to="/teams/$team/endpoints/$name" params={{ team, name }}>
                      {team}/{name}
                    </Link>
                  ),
                },
                { title: "Status", cell: ({ status }) => <ReadyStatus conditions={status.conditions} /> },
                { title: "Model names", cell: ({ spec }) => spec.models.map(({ name }) => name).join(", "), wide: true },
                { title: "Pools", cell: (one) => [...new Set(sharesOf(one).map(({ pool }) => pool))].join(", ") },
              ]}
            />
          )
        }
      </Section>
      <Section
        title="Accelerators"
        note="that variants may name"
        data={accelerators.data?.items}
        read={accelerators}
      >
        {(rows) => (
          <Table
            rows={rows}
            rowKey={({ name }) => name ?? ""}
            columns={[
              { title: "Name", cell: ({ name }) => <span className="mono">{name}</span> },
              { title: "Product", cell: ({ title }) => title },
              { title: "Memory", cell: ({ memoryBytes }) => (memoryBytes ? bytes(memoryBytes) : UNKNOWN) },
              { title: "Resource", cell: ({ resource }) => resource ?? UNKNOWN },
              { title: "Price", cell: ({ price }) => price ?? "not listed" },
              { title: "Price of", cell: ({ pricedOn }) => pricedOn ?? UNKNOWN },
            ]}
          />
        )}
      </Section>
    </Page>
  );
}
