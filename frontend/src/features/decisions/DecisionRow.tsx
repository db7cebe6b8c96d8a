import { useMutation, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { decisionQuery, replay, type Count, type Decision, type Entry, type Input } from "../../api/decisions";
import { sentenceOf } from "../../api/problem";
import { absolute, clock, millis, type Zone } from "../../lib/time";
import { duration, format, money, percent, UNKNOWN } from "../../lib/units";
import { Button } from "../../ui/Button";
import { ErrorPanel, Skeleton } from "../../ui/Message";
import { Status, type Tone } from "../../ui/Status";
import type { IconName } from "../../ui/Icon";
import { Table } from "../../ui/Table";
import { replayInWords } from "./view";
import styles from "./Decisions.module.css";

const LOOKS: Record<string, { icon: IconName; tone: Tone; word: string }> = {
  up: { icon: "up", tone: "info", word: "Up" },
  down: { icon: "down", tone: "info", word: "Down" },
  mix: { icon: "change", tone: "info", word: "Mix" },
  hold: { icon: "minus", tone: "none", word: "Hold" },
  frozen: { icon: "pause", tone: "warn", word: "Frozen" },
  zero: { icon: "down", tone: "info", word: "To zero" },
  "from-zero": { icon: "up", tone: "info", word: "From zero" },
  sleep: { icon: "moon", tone: "info", word: "Sleep" },
  wake: { icon: "sun", tone: "info", word: "Wake" },
};

export function counts(rows: readonly Count[]): string {
  return rows.map(({ variant, replicas, asleep = 0 }) => `${variant} ${replicas}${asleep > 0 ? ` (${asleep} asleep)` : ""}`).join(", ");
}

/** One decision as its sentence; opened, everything that it was made of. */
export function DecisionRow({ entry, zone, ofOne }: { entry: Entry; zone: Zone; ofOne: boolean }) {
  const [open, setOpen] = useState(false);
  const at = millis(entry.firstAt) ?? 0;
  const look = LOOKS[entry.verb] ?? { icon: "right" as const, tone: "none" as const, word: entry.verb };
  return (
    <details className={styles.decision} onToggle={({ currentTarget }) => setOpen(currentTarget.open)}>
      <summary>
        <time className="number" dateTime={entry.firstAt} title={absolute(at, zone)}>
          {clock(at, zone)}
        </time>
        <Status {...look} label="Decision" />
        <span className={styles.sentence}>
          {!ofOne && (
            <b>
              {entry.team}/{entry.pool}
            </b>
          )}{" "}
          {entry.sentence}
          {entry.count > 1 && (
            <span className="muted">
              {" "}
              ({entry.count} times until {clock(millis(entry.lastAt) ?? 0, zone)})
            </span>
          )}
          {entry.mode !== "active" && <span className="muted"> ({entry.mode}: nothing was done)</span>}
        </span>
      </summary>
      {open && (
        <>
          {!ofOne && (
            <p className={styles.where}>
              <Link to="/teams/$team/pools/$name/scaling" params={{ team: entry.team, name: entry.pool }} search={{ decision: entry.id }}>
                On the charts of {entry.pool}
              </Link>
            </p>
          )}
          <Whole team={entry.team} pool={entry.pool} id={entry.id} heading="h4" />
        </>
      )}
    </details>
  );
}

type Heading = "h3" | "h4";

/** Inputs, rules, clamps, counterfactuals of one decision, with its replay. `heading`: one level below what it stands under. */
export function Whole({ team, pool, id, heading }: { team: string; pool: string; id: number; heading: Heading }) {
  const { data, error, refetch } = useQuery(decisionQuery(team, pool, id));
  const again = useMutation({ mutationFn: () => replay(team, pool, id) });
  if (data === undefined) {
    if (error !== null) return <ErrorPanel error={error} what="The decision could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="12rem" label="Loading the decision" />;
  }
  return (
    <div className={styles.whole}>
      <p className={styles.said}>{data.sentence}</p>
      <dl className={styles.facts}>
        <Fact term="From" value={counts(data.before)} />
        <Fact term="To" value={counts(data.targets)} />
        <Fact term="Bound by" value={data.binding} />
        <Fact term="Cost" value={data.costPerHour === null ? UNKNOWN : money(data.costPerHour.amount, data.costPerHour.currency)} />
        {data.quantiles !== null && (
          <Fact
            term="Load expected"
            value={`${format(data.quantiles.p50, "requests/s")} (at most ${format(data.quantiles.p90, "requests/s")}, 90 % sure)`}
          />
        )}
        {data.attainment !== null && <Fact term="Within the SLO lately" value={between(data.attainment)} />}
        <Fact term="Done" value={data.actuation ?? "nothing had to be done"} />
      </dl>
      <Parts decision={data} heading={heading} />
      <div className={styles.replay}>
        <Button onClick={() => again.mutate()} disabled={again.isPending}>
          Make it again from its inputs
        </Button>
        <a href={`data:application/json,${encodeURIComponent(JSON.stringify(data, null, 2))}`} download={`decision-${data.id}.json`}>
          Export as JSON
        </a>
        <p role="status">
          {again.isError && sentenceOf(again.error)}
          {again.isSuccess && replayInWords(again.data)}
        </p>
      </div>
    </div>
  );
}

function between([low, high]: [number, number]): string {
  return low === high ? percent(low) : `${percent(low)} to ${percent(high)}`;
}

function Fact({ term, value }: { term: string; value: string }) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>{value === "" ? "nothing" : value}</dd>
    </div>
  );
}

function Parts({ decision, heading }: { decision: Decision; heading: Heading }) {
  return (
    <div className={styles.parts}>
      <Part heading={heading} title="Had it been another number" note="latencies at the mean load">
        {decision.counterfactuals.length > 0 && (
          <Table
            rows={decision.counterfactuals}
            rowKey={({ replicas }) => replicas}
            columns={[
              { title: "Replicas", cell: ({ replicas }) => replicas },
              { title: "Within the SLO", cell: ({ attainment }) => format(attainment, "1") },
              { title: "TTFT p95", cell: ({ ttftP95 }) => (ttftP95 === null ? "swamped" : format(ttftP95, "s")) },
              { title: "TPOT p95", cell: ({ tpotP95 }) => (tpotP95 === null ? "swamped" : format(tpotP95, "s")) },
              { title: "Cost", cell: ({ cost }) => money(cost, decision.costPerHour?.currency ?? null) },
            ]}
          />
        )}
      </Part>
      <Part heading={heading} title="Rules">
        {decision.proposals.length > 0 && (
          <Table
            rows={decision.proposals}
            rowKey={({ rule, role }) => `${rule} ${role ?? ""}`}
            columns={[
              { title: "Rule", cell: ({ rule }) => rule },
              { title: "Proposes", cell: ({ replicas }) => replicas },
              { title: "Because", cell: ({ reason }) => reason, wide: true },
            ]}
          />
        )}
      </Part>
      <Part heading={heading} title="Clamps">
        {decision.clamps.length > 0 && (
          <Table
            rows={decision.clamps}
            rowKey={({ rule, variant }) => `${rule} ${variant}`}
            columns={[
              { title: "Clamp", cell: ({ rule }) => rule },
              { title: "Variant", cell: ({ variant }) => variant },
              { title: "From, to", cell: ({ before, after }) => `${before} → ${after}` },
              { title: "Because", cell: ({ reason }) => reason, wide: true },
            ]}
          />
        )}
      </Part>
      <Part heading={heading} title="Inputs">
        {decision.inputs.length > 0 && (
          <Table
            rows={decision.inputs}
            rowKey={({ name, variant }) => `${name} ${variant}`}
            isStale={({ state }) => state === "unknown"}
            columns={[
              { title: "Input", cell: ({ name }) => <code>{name}</code> },
              { title: "Variant", cell: ({ variant }) => variant || "pool" },
              { title: "Value", cell: ({ value, unit, state }) => (value === null ? state.replace("_", " ") : format(value, unit)) },
              { title: "Age", cell: ({ age }) => (age === null ? UNKNOWN : duration(age)) },
              ...(decision.inputs.some(({ reason }) => reason) ? [{ title: "Why not known", cell: ({ reason }: Input) => reason, wide: true }] : []),
            ]}
          />
        )}
      </Part>
    </div>
  );
}

function Part({ title, note, heading: Heading, children }: { title: string; note?: string; heading: Heading; children: React.ReactNode }) {
  return (
    <section aria-label={title}>
      <Heading>
        {title} {note !== undefined && <span className={styles.note}>{note}</span>}
      </Heading>
      <div className={styles.frame} tabIndex={0} role="group" aria-label={title}>
        {children || <p className="muted">none</p>}
      </div>
    </section>
  );
}
