import { Link } from "@tanstack/react-router";
import type { Condition, Pool } from "../../api/types";
import { Age } from "../../ui/Age";
import { Icon } from "../../ui/Icon";
import { buttonLook } from "../../ui/Button";
import { CopyButton } from "../../ui/CopyButton";
import { HealthStatus, SyncStatus } from "../../ui/Status";
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

export function PoolHeader({ pool }: { pool: Pool }) {
  const { metadata, spec, status } = pool;
  const endpoint = status.endpoint ?? "";
  const curl = curlExample(endpoint, servedName(pool));
  const facts: [string, string][] = [
    ["Model", spec.model],
    ["Cluster", spec.cluster],
    ["Namespace", spec.namespace],
    ["Path", spec.path ?? ""],
    ["Replicas", `${status.replicas?.ready ?? "—"} ready of ${status.replicas?.desired ?? "—"}`],
    ["Generation", String(metadata.generation)],
  ];
  return (
    <header className={styles.header}>
      <div className={styles.title}>
        <h1>{metadata.name}</h1>
        <SyncStatus value={status.sync} />
        <HealthStatus value={status.health} />
        <Link to="/teams/$team/pools/$name/edit" params={{ team: metadata.team, name: metadata.name }} className={buttonLook}>
          <Icon name="change" /> Change
        </Link>
      </div>
      <p className={styles.summary} role="status">
        {metadata.deletionRequestedAt === null || metadata.deletionRequestedAt === undefined ? (
          summary(status.conditions)
        ) : (
          <>
            Being deleted for <Age of={metadata.deletionRequestedAt} />: {summary(status.conditions)}
          </>
        )}
      </p>
      <dl className={styles.facts}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {endpoint === "" ? (
        <p className="muted">No endpoint yet: it appears when the pool’s service exists.</p>
      ) : (
        <div className={styles.endpoint}>
          <span>Endpoint</span>
          <code>{endpoint}</code>
          <CopyButton text={endpoint} label="Copy the endpoint" />
          <details>
            <summary>curl example</summary>
            <div className={styles.curl}>
              <pre tabIndex={0}>{curl}</pre>
              <CopyButton text={curl} label="Copy the curl example" />
            </div>
          </details>
        </div>
      )}
    </header>
  );
}
