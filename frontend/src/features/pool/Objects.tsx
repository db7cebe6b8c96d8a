import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { treeQuery, type Tree, type TreeNode } from "../../api/rollout";
import type { Zone } from "../../lib/time";
import { zoneOf } from "../../lib/timeRange";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Command } from "../../ui/Command";
import { EmptyState } from "../../ui/Message";
import { Opened } from "../../ui/Opened";
import { Section } from "../../ui/Section";
import { HealthStatus, Status, SyncStatus } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { Events } from "./Events";
import { Logs } from "./Logs";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

const route = getRouteApi("/shell/teams/$team/pools/$name/objects");

/** The pool and everything that follows from it, down to containers and their logs. */
export function Objects() {
  const pool = usePool();
  const { team, name } = pool.metadata;
  const zone = zoneOf(useTimeView()[0]);
  const { pod } = route.useSearch();
  const navigate = route.useNavigate();
  const read = useQuery(treeQuery(team, name));
  const { data } = read;
  const show = (chosen: string | undefined) => void navigate({ search: { pod: chosen }, resetScroll: false });
  return (
    <div className={styles.stack}>
      <Section
        title="Objects"
        note={data === undefined ? undefined : data.cached ? "as its watches tell" : "read from the cluster now"}
        data={data}
        read={read}
      >
        {(tree) => <TreeTable tree={tree} zone={zone} onLogs={show} />}
      </Section>
      {pod !== undefined && (
        <Opened key={pod}>
          <Logs team={team} name={name} pod={pod} onClose={() => show(undefined)} />
        </Opened>
      )}
      {data !== undefined && <ClusterEvents tree={data} zone={zone} namespace={pool.spec.namespace} />}
      <Events team={team} name={name} zone={zone} />
    </div>
  );
}

function details(node: TreeNode): string {
  const { replicas, node: host, restarts, image, state, revision } = node;
  return [
    replicas === undefined ? "" : `${replicas.ready ?? "—"} of ${replicas.desired ?? "—"} ready`,
    revision == null ? "" : `revision ${revision}`,
    state ?? "",
    host == null ? "" : `on ${host}`,
    image ?? "",
    restarts == null || restarts === 0 ? "" : `${restarts} restarts`,
  ]
    .filter(Boolean)
    .join(" · ");
}

function TreeTable({ tree, zone, onLogs }: { tree: Tree; zone: Zone; onLogs: (pod: string) => void }) {
  return (
    <>
      <Table
        rows={tree.items}
        rowKey={({ id }) => id}
        columns={[
          {
            title: "Object",
            cell: (node) => (
              <span className={styles.node} data-depth={Math.min(node.depth, 6)}>
                <span className="muted">{node.kind}</span> <span className="mono">{node.name}</span>
              </span>
            ),
          },
          { title: "Health", cell: ({ health }) => (health === null ? "" : <HealthStatus value={health} />) },
          { title: "Sync", cell: ({ sync }) => (sync === null || sync === undefined ? "" : <SyncStatus value={sync} />) },
          { title: "Details", cell: details, wide: true },
          { title: "Says", cell: ({ message, reason }) => message || reason || "", wide: true },
          { title: "Age", cell: ({ createdAt }) => <Age of={createdAt} zone={zone} /> },
          {
            title: "Logs",
            cell: ({ kind, name }) =>
              kind === "Pod" ? (
                <Button onClick={() => onLogs(name)} aria-label={`Logs of ${name}`}>
                  Logs
                </Button>
              ) : (
                ""
              ),
          },
        ]}
      />
      {tree.truncated && <p className={styles.more}>There is more than is shown here.</p>}
    </>
  );
}

function ClusterEvents({ tree, zone, namespace }: { tree: Tree; zone: Zone; namespace: string }) {
  return (
    <Section title="Cluster events" note="about these objects" data={tree.events}>
      {(events) =>
        events.length === 0 ? (
          <EmptyState title="The cluster has reported nothing about these objects lately.">
            <p>It forgets its events after an hour or so. What it still knows of the whole namespace:</p>
            <Command>{`kubectl get events -n ${namespace}`}</Command>
          </EmptyState>
        ) : (
          <Table
            rows={events}
            rowKey={({ about, reason, message }) => `${about} ${reason} ${message}`}
            columns={[
              { title: "About", cell: ({ about }) => <span className="mono">{about}</span> },
              {
                title: "Type",
                cell: ({ type }) => (type === "Warning" ? <Status icon="triangle" tone="warn" word="Warning" label="Type" /> : type),
              },
              { title: "Reason", cell: ({ reason }) => <code>{reason}</code> },
              { title: "Message", cell: ({ message }) => message, wide: true },
              { title: "Count", cell: ({ count }) => count },
              { title: "Last seen", cell: ({ lastAt }) => <Age of={lastAt} zone={zone} /> },
            ]}
          />
        )
      }
    </Section>
  );
}
