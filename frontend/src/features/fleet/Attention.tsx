import { Link } from "@tanstack/react-router";
import { memo, useId } from "react";
import type { FleetRow } from "../../api/types";
import { Age } from "../../ui/Age";
import { Icon } from "../../ui/Icon";
import { HealthStatus, SloStatus } from "../../ui/Status";
import { inNeed, unjudged } from "./need";
import { worst } from "./slo";
import styles from "./Fleet.module.css";

/** More would push the table out of sight; the table sorts by SLO and health. */
const MOST = 5;

/** What is wrong with a pool, and what Lamplight decided about it last. */
export function Trouble({ row }: { row: FleetRow }) {
  const speaks = worst(row.slo);
  const ill = row.health === "Degraded" || row.health === "Missing";
  return (
    <div className={styles.said}>
      {ill && (
        <p>
          {row.unreadySince != null && (
            <>
              <b>Not ready for</b> <Age of={row.unreadySince} />:{" "}
            </>
          )}
          <code>{row.reason}</code> {row.message}
        </p>
      )}
      {(speaks?.state === "Breached" || speaks?.state === "AtRisk") && (
        <p>
          {row.breachedSince != null && (
            <>
              <b>Breached for</b> <Age of={row.breachedSince} />:{" "}
            </>
          )}
          {speaks.message}
        </p>
      )}
      {row.decided != null && (
        <p className="muted">
          <Link to="/teams/$team/pools/$name/scaling" params={{ team: row.team, name: row.name }} search={{ decision: row.decided.id }}>
            The autoscaler
          </Link>
          , <Age of={row.decided.at} /> ago: {row.decided.sentence} {row.decided.actuation}
        </p>
      )}
    </div>
  );
}

/** What a person on call reads first: the pools that are ill or break a promise, since when, and what was done. */
export const Attention = memo(function Attention({ rows }: { rows: readonly FleetRow[] }) {
  const id = useId();
  const found = inNeed(rows);
  const unknown = unjudged(rows);
  if (found.length === 0) {
    return (
      <p className={styles.calm}>
        <Icon name="check" /> No pool is degraded and no SLO is breached
        {unknown > 0 && `; the SLOs of ${unknown} ${unknown === 1 ? "pool" : "pools"} cannot be judged now`}.
      </p>
    );
  }
  return (
    <section aria-labelledby={id} className={styles.attention}>
      <h2 id={id}>
        Needs attention{" "}
        <span className="muted">
          {found.length} of {rows.length} pools
        </span>
      </h2>
      <ul>
        {found.slice(0, MOST).map((row) => (
          <li key={row.uid}>
            {row.health === "Degraded" || row.health === "Missing" ? <HealthStatus value={row.health} /> : <SloStatus value={worst(row.slo)?.state} />}
            <span>
              <Link to="/teams/$team/pools/$name" params={{ team: row.team, name: row.name }} aria-label={`${row.name} of team ${row.team}`}>
                {row.name}
              </Link>
              <span className={styles.team} aria-hidden="true">
                {row.team}
              </span>
            </span>
            <Trouble row={row} />
          </li>
        ))}
      </ul>
      {found.length > MOST && (
        <p className={styles.further}>
          <Link to="." search={((before: object) => ({ ...before, sort: "slo" })) as never} resetScroll={false}>
            {found.length - MOST} more: sort the table by SLO
          </Link>
        </p>
      )}
    </section>
  );
});
