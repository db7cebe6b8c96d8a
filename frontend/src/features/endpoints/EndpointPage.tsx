import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { ApiError } from "../../api/problem";
import { endpointQuery, slosQuery } from "../../api/queries";
import type { Endpoint } from "../../api/types";
import { zoneOf } from "../../lib/timeRange";
import { percent, UNKNOWN, whole } from "../../lib/units";
import { Age } from "../../ui/Age";
import { Command } from "../../ui/Command";
import { CopyButton } from "../../ui/CopyButton";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Page } from "../../ui/Page";
import { ReadyStatus, readySentence } from "../../ui/ReadyStatus";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { useTitle } from "../../ui/useTitle";
import { SloTable } from "../slos/SloTable";
import styles from "./Endpoint.module.css";
import { sharesOf, type Share } from "./shares";

const route = getRouteApi("/shell/teams/$team/endpoints/$name");

/** One address with public model names: which pools answer, with which share, and what is promised of it. */
export function EndpointPage() {
  const { team, name } = route.useParams();
  const read = useQuery(endpointQuery(team, name));
  const { data: endpoint, error, refetch } = read;
  const slos = useQuery(slosQuery);
  const zone = zoneOf(useTimeView()[0]);
  useTitle(`${name} (${team})`);

  if (error instanceof ApiError && error.status === 404) {
    return (
      <EmptyState isPage title={`There is no Endpoint ${name} in team ${team}.`}>
        <p>
          It was deleted, or it belongs to a team that you are not in. <Link to="/models">Go to the models and endpoints</Link>
        </p>
      </EmptyState>
    );
  }
  if (endpoint === undefined) {
    if (error !== null) return <ErrorPanel isPage error={error} what="The Endpoint could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="24rem" label="Loading the Endpoint" />;
  }
  const { spec, status, metadata } = endpoint;
  const promised = slos.data?.items.filter((slo) => slo.metadata.team === team && slo.spec.targetRef.kind === "Endpoint" && slo.spec.targetRef.name === name);
  return (
    <Page title={name} tools={<ReadyStatus conditions={status.conditions} />}>
      <NotRefreshed read={read} />
      <p role="status">{readySentence(status.conditions) || "Nothing has been reported yet; the first reconcile is on its way."}</p>
      <dl className={styles.facts}>
        <div>
          <dt>Address</dt>
          <dd>
            <Address of={endpoint} />
          </dd>
        </div>
        <div>
          <dt>Cluster</dt>
          <dd>
            {spec.cluster} / {spec.namespace}
          </dd>
        </div>
        <div>
          <dt>Way in</dt>
          <dd>{spec.gateway == null ? "a data plane of its own" : `Gateway ${spec.gateway.name}`}</dd>
        </div>
        <div>
          <dt>Keys</dt>
          <dd>{keysOf(endpoint)}</dd>
        </div>
        <div>
          <dt>Generation</dt>
          <dd>{metadata.generation}</dd>
        </div>
        <div>
          <dt>Changed</dt>
          <dd>
            <Age of={metadata.updatedAt} zone={zone} /> ago
          </dd>
        </div>
      </dl>
      <Section title="Who answers" note="by weight; fail-over in turn when no backend has a ready replica" data={sharesOf(endpoint)}>
        {(shares) => (
          <Table
            rows={shares}
            rowKey={({ model, pool, adapter, role }) => `${model} ${pool} ${adapter ?? ""} ${role}`}
            columns={[
              { title: "Model name", cell: ({ model }) => <span className="mono">{model}</span> },
              { title: "Pool", cell: ({ pool }) => <PoolLink team={team} name={pool} /> },
              { title: "Asked as", cell: ({ adapter }) => (adapter === null ? "the pool’s own name" : <span className="mono">{adapter}</span>) },
              { title: "Share", cell: shareWords },
              { title: "Ready replicas", cell: ({ ready }) => ready ?? UNKNOWN },
            ]}
          />
        )}
      </Section>
      <Section title="Objectives" note="measured at the gateways of all its pools, added up" data={promised} read={slos}>
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState title="Nothing is promised of this Endpoint.">
              <p>Declare an SLO whose spec.targetRef is kind Endpoint, name {name}:</p>
              <Command>lamp apply -f slo.yaml</Command>
            </EmptyState>
          ) : (
            <SloTable slos={rows} />
          )
        }
      </Section>
      <p>
        <Link to="/timeline" search={{ team, kind: "Endpoint", name, range: "7d" }}>
          What happened to it, in the timeline
        </Link>
      </p>
    </Page>
  );
}

function Address({ of: { status } }: { of: Endpoint }) {
  const at = typeof status.endpoint === "string" ? status.endpoint : "";
  if (at === "") return "none before its service exists";
  return (
    <span className={styles.address}>
      <code>{at}</code>
      <CopyButton text={at} label="Copy the address" />
    </span>
  );
}

function keysOf({ spec: { keys } }: Endpoint): string {
  if (keys == null) return "none: whoever reaches it may ask";
  const count = Object.keys(keys.limits ?? {}).length;
  return `of Secret ${keys.secret}; ${count === 0 ? "no limits" : `limits for ${count}`}`;
}

function shareWords({ role, weight, share }: Share): string {
  if (role === "failover") return `fail-over, ${weight === 1 ? "first" : `number ${weight}`} in turn`;
  return `${percent(share)} (weight ${whole(weight)})`;
}

function PoolLink({ team, name }: { team: string; name: string }) {
  return (
    <Link to="/teams/$team/pools/$name" params={{ team, name }}>
      {name}
    </Link>
  );
}
