import { useQuery } from "@tanstack/react-query";
import { clustersQuery, inventoryQuery } from "../../api/queries";
import type { Cluster } from "../../api/types";
import { zoneOf } from "../../lib/timeRange";
import { Age } from "../../ui/Age";
import { Command } from "../../ui/Command";
import { EmptyState } from "../../ui/Message";
import { Page } from "../../ui/Page";
import { ReadyStatus, readySentence } from "../../ui/ReadyStatus";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { Preflight } from "./Preflight";
import { Used } from "./Used";

export function ClustersPage() {
  const read = useQuery(clustersQuery);
  const { data } = read;
  const zone = zoneOf(useTimeView()[0]);
  return (
    <Page title="Clusters">
      <Section title="Declared clusters" data={data?.items} read={read}>
        {(clusters) =>
          clusters.length === 0 ? (
            <EmptyState title="No cluster is declared yet.">
              <p>A Cluster document names a kubeconfig file, or the service account that Lamplight runs with. Write one, then declare it:</p>
              <Command>lamp apply -f cluster.yaml</Command>
            </EmptyState>
          ) : (
            <Table
              rows={clusters}
              rowKey={({ metadata }) => metadata.uid}
              columns={[
                { title: "Cluster", cell: ({ metadata }) => `${metadata.team}/${metadata.name}` },
                { title: "Status", cell: ({ status }) => <ReadyStatus conditions={status.conditions} /> },
                { title: "Kubernetes", cell: ({ status }) => String(status.version ?? "—") },
                { title: "Namespaces", cell: ({ spec }) => (spec.namespaces?.length ? spec.namespaces.join(", ") : "any") },
                { title: "Writes", cell: ({ spec }) => (spec.readOnly ? "read-only" : "yes") },
                { title: "Seen", cell: ({ status }) => <Age of={status.lastSeenAt as string | undefined} zone={zone} /> },
                { title: "Says", wide: true, cell: ({ status }) => readySentence(status.conditions) },
              ]}
            />
          )
        }
      </Section>
      {data?.items.map((cluster) => (
        <Stock key={cluster.metadata.uid} cluster={cluster} alone={data.items.length === 1} />
      ))}
    </Page>
  );
}

function Stock({ cluster, alone }: { cluster: Cluster; alone: boolean }) {
  const { team, name } = cluster.metadata;
  const read = useQuery(inventoryQuery(team, name));
  const { data } = read;
  const title = (what: string) => (alone ? what : `${what} of ${name}`);
  const section = { read };
  return (
    <>
      <Preflight cluster={cluster} title={title("Preflight")} />
      <Section title={title("Accelerators")} note="read from its nodes and pods now" data={data?.accelerators} {...section}>
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState title="No node of this cluster offers accelerators.">
              <p>The device plugin of their vendor offers them. What nodes offer now:</p>
              <Command>kubectl describe nodes</Command>
            </EmptyState>
          ) : (
            <Table
              rows={rows}
              rowKey={({ product, resource }) => `${product} ${resource}`}
              columns={[
                { title: "Product", cell: ({ product, resource }) => product || resource },
                { title: "In use", cell: ({ used, allocatable }) => <Used used={used} of={allocatable} /> },
                { title: "Free", cell: ({ free }) => free },
                { title: "Most on one node", cell: ({ largestNode }) => largestNode },
                { title: "Nodes", cell: ({ nodes }) => nodes },
                { title: "Resource", cell: ({ resource }) => <span className="mono">{resource}</span> },
              ]}
            />
          )
        }
      </Section>
      {data !== undefined && <Section title={title("Nodes")} data={data.nodes} {...section}>
        {(nodes) =>
          nodes.length === 0 ? (
            <EmptyState title="There is no node with accelerators.">
              <Command>kubectl get nodes</Command>
            </EmptyState>
          ) : (
            <Table
              rows={nodes}
              rowKey={({ node, resource }) => `${node} ${resource}`}
              columns={[
                { title: "Node", cell: ({ node }) => <span className="mono">{node}</span> },
                { title: "Product", cell: ({ product, resource }) => product || resource },
                { title: "In use", cell: ({ used, allocatable }) => <Used used={used} of={allocatable} /> },
                { title: "Free", cell: ({ free }) => free },
                {
                  title: "Scheduling",
                  cell: ({ schedulable }) =>
                    schedulable ? (
                      <Status icon="check" tone="ok" word="Open" label="Scheduling" />
                    ) : (
                      <Status icon="pause" tone="warn" word="Cordoned" label="Scheduling" />
                    ),
                },
              ]}
            />
          )
        }
      </Section>}
    </>
  );
}
