import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode } from "react";
import { fleetRowQuery } from "../../api/queries";
import type { Condition, FleetRow, Pool } from "../../api/types";
import { replicaWords } from "../../lib/replicas";
import { useMayWrite } from "../../state/rights";
import { say } from "../../state/said";
import { Age } from "../../ui/Age";
import { Icon } from "../../ui/Icon";
import { buttonLook } from "../../ui/Button";
import { CopyButton } from "../../ui/CopyButton";
import { HealthStatus, SloStatus, SyncStatus } from "../../ui/Status";
import { needsAttention } from "../fleet/need";
import { Trouble } from "../fleet/Attention";
import { worst } from "../fleet/slo";
import { standingOf, told, type Standing } from "./told";
import styles from "./Pool.module.css";

/** The one sentence that sums the pool up: its `Ready` condition's. */
function summary(conditions: Condition[] | undefined): string {
  const ready = conditions?.find(({ type }) => type === "Ready");
  if (ready === undefined) return "Nothing has been reported yet; the first reconcile is on its way.";
  return ready.message === "" ? ready.reason : ready.message;
}

export function curlExample(endpoint: string, model: string): string {
  const body = { model, stream: true, messages: [{ role: "user", content: "Why is the sky blue?" }] };
  return `curl -N ${endpoint}/v1/chat/completions -H 'Content-Type: application/json' -d '${JSON.stringify(body)}'`;
}

function servedName({ spec, status }: Pool): string {
  return typeof status.servedName === "string" ? status.servedName : spec.model;
}

/** The promise that needs attention most; leads to it. */
function Promise({ team, row }: { team: string; row: FleetRow | null | undefined }) {
  const speaks = worst(row?.slo ?? []);
  if (speaks === undefined) return null;
  return (
    <Link to="/teams/$team/slos/$name" params={{ team, name: speaks.slo }} className={styles.promise}>
      <SloStatus value={speaks.state} />
    </Link>
  );
}

/** How each pool stood when it was last looked at: a roll-out may begin on another page. */
const known = new Map<string, Standing>();

function useTold(pool: Pool): void {
  const before = useRef({ uid: pool.metadata.uid, standing: standingOf(pool, known.get(pool.metadata.uid)) });
  useEffect(() => {
    const { uid, name } = pool.metadata;
    const { standing } = before.current;
    const isSame = before.current.uid === uid;
    const now = standingOf(pool, isSame ? standing : known.get(uid));
    const said = isSame ? told(name, standing, now, summary(pool.status.conditions)) : undefined;
    before.current = { uid, standing: now };
    known.set(uid, now);
    if (said !== undefined) say(said);
  }, [pool]);
}

export function PoolHeader({ pool }: { pool: Pool }) {
  const { metadata, spec, status } = pool;
  useTold(pool);
  const { data: row } = useQuery(fleetRowQuery(metadata.team, metadata.name));
  const mayWrite = useMayWrite(metadata.team);
  const endpoint = status.endpoint ?? "";
  const facts: [string, ReactNode][] = [
    ["Model", spec.model],
    ["Cluster", `${spec.cluster} / ${spec.namespace}`],
    ["Path", spec.path ?? ""],
    ["Replicas", replicaWords(status.replicas)],
    ["Generation", String(metadata.generation)],
    ["Endpoint", endpoint === "" ? "none before its service exists" : <Endpoint key="endpoint" at={endpoint} model={servedName(pool)} />],
  ];
  const broken = row != null && needsAttention(row) && row.health !== "Degraded" && row.health !== "Missing";
  return (
    <header className={styles.header}>
      <div className={styles.title}>
        <h1>{metadata.name}</h1>
        <SyncStatus value={status.sync} />
        <HealthStatus value={status.health} />
        <Promise team={metadata.team} row={row} />
        <Link to="/teams/$team/pools/$name/load" params={{ team: metadata.team, name: metadata.name }} className={buttonLook}>
          <Icon name="chart" /> Load
        </Link>
        {mayWrite && (
          <Link to="/teams/$team/pools/$name/edit" params={{ team: metadata.team, name: metadata.name }} className={buttonLook}>
            <Icon name="change" /> Change
          </Link>
        )}
      </div>
      <p className={styles.summary}>
        {metadata.deletionRequestedAt === null || metadata.deletionRequestedAt === undefined ? (
          summary(status.conditions)
        ) : (
          <>
            Being deleted for <Age of={metadata.deletionRequestedAt} />: {summary(status.conditions)}
          </>
        )}
      </p>
      {broken && (
        <div className={styles.trouble} data-tone={worst(row.slo)?.state === "Breached" ? "bad" : "warn"}>
          <Trouble row={row} />
        </div>
      )}
      <dl className={styles.facts}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </header>
  );
}

function Endpoint({ at, model }: { at: string; model: string }) {
  const curl = curlExample(at, model);
  return (
    <div className={styles.endpoint}>
      <code>{at}</code>
      <CopyButton text={at} label="Copy the endpoint" />
      <details>
        <summary>curl example</summary>
        <div className={styles.curl}>
          <pre tabIndex={0}>{curl}</pre>
          <CopyButton text={curl} label="Copy the curl example" />
        </div>
      </details>
    </div>
  );
}
