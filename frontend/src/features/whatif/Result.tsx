import { useQueries } from "@tanstack/react-query";
import { simulationQuery, type Run, type Simulation } from "../../api/whatif";
import { XYChart, type XYSeries } from "../../charts/XYChart";
import type { Zone } from "../../lib/time";
import { duration, format, money, percent, seconds, UNKNOWN } from "../../lib/units";
import { ErrorPanel, Skeleton } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { nameOf } from "./view";
import styles from "./WhatIf.module.css";

type Finished = Simulation & { result: NonNullable<Simulation["result"]> };

const isFinished = (one: Simulation | undefined): one is Finished => one?.result != null;
/** Below this nobody would call it served; the chart's room goes to where promises lie. */
const FLOOR = 0.5;

/** One simulation, or two beside each other; the curve has both. */
export function Compared({ team, name, ids, zone }: { team: string; name: string; ids: string[]; zone: Zone }) {
  const found = useQueries({ queries: ids.map((id) => simulationQuery(team, name, id)) });
  const done = found.map(({ data }) => data).filter(isFinished);
  return (
    <>
      {done.length > 0 && <Curve of={done} zone={zone} />}
      <div className={styles.sides}>
        {found.map(({ data, error, refetch }, at) => (
          <div key={ids[at]} className={styles.side}>
            {data === undefined && error !== null && <ErrorPanel error={error} what="The simulation could not be loaded." onRetry={() => void refetch()} />}
            {data === undefined && error === null && <Skeleton height="12rem" label="Loading the simulation" />}
            {data !== undefined && <Side of={data} zone={zone} />}
          </div>
        ))}
      </div>
    </>
  );
}

function Curve({ of, zone }: { of: Finished[]; zone: Zone }) {
  const currency = of[0]?.result.currency ?? null;
  const hours = (one: Finished) => one.result.seconds / 3600;
  const series = of.map(
    (one, at): XYSeries => ({
      key: `side${at}`,
      label: nameOf(one, zone),
      look: "dots",
      points: one.result.runs.flatMap(({ cost, attainment, policy }) => (cost === null ? [] : [{ x: cost / hours(one), y: Math.max(FLOOR, attainment), label: policy }])),
    }),
  );
  const level = [...new Set(of.map(({ result }) => result.slo.fraction))].map((y) => ({ y, label: `promised ${percent(y)}` }));
  return (
    <XYChart
      title="Cost against attainment"
      x={{ title: `cost, ${currency ?? ""}/h`, format: (value) => money(value, null, "h").replace(" /h", "") }}
      y={{ title: "requests within the SLO", format: percent, from: FLOOR }}
      series={series}
      level={level}
      note={`up and left is better; below ${percent(FLOOR)} is drawn at ${percent(FLOOR)}`}
    />
  );
}

function Side({ of, zone }: { of: Simulation; zone: Zone }) {
  const title = nameOf(of, zone);
  if (of.status === "failed") return <ErrorPanel error={new Error(of.message)} what={`${title} failed.`} />;
  if (!isFinished(of)) {
    return (
      <Section title={title} data={of}>
        {({ status, progress }) => (
          <div className={styles.wait}>
            <span>{status === "queued" ? "Waits for a worker." : `Plays: ${percent(progress)}`}</span>
            <progress className={styles.bar} max={1} value={progress} aria-label="Progress of the simulation" />
          </div>
        )}
      </Section>
    );
  }
  const { runs, slo, arrivals, requests, seconds: long, currency } = of.result;
  return (
    <>
      <Section title={title} data={runs}>
        {(rows) => (
          <>
            <Table
              rows={rows}
              rowKey={({ policy }) => policy}
              columns={[
                { title: "Policy", cell: ({ policy }) => policy },
                {
                  title: "Within the SLO",
                  cell: ({ attainment, met }) => <Status icon={met ? "check" : "triangle"} tone={met ? "ok" : "bad"} word={percent(attainment)} label={met ? "Met" : "Missed"} />,
                },
                { title: "Cost", cell: ({ cost }) => money(cost === null ? null : (cost / long) * 3600, currency) },
                { title: "Accelerator hours", cell: ({ acceleratorHours }) => format(acceleratorHours, "h") },
                { title: "TTFT p50, p99", cell: ({ ttft }) => `${format(ttft.p50, "s")}, ${format(ttft.p99, "s")}` },
                { title: "TPOT p50, p99", cell: ({ tpot }) => `${format(tpot.p50, "s")}, ${format(tpot.p99, "s")}` },
                { title: "Failed", cell: ({ failed }) => failed },
                { title: "Moves", cell: ({ actions, reversals }) => (reversals > 0 ? `${actions}, ${reversals} back and forth` : actions) },
              ]}
            />
            <p className={styles.said}>
              {requests} requests in {duration(long)}, {arrivals}; promised: TTFT within {seconds(slo.ttft)}, TPOT within {seconds(slo.tpot)} for {percent(slo.fraction)}.
            </p>
          </>
        )}
      </Section>
      <Replicas runs={runs} />
      <Moves of={title} run={runs.find(({ policy }) => policy.startsWith("lamplight"))} />
    </>
  );
}

function Replicas({ runs }: { runs: Run[] }) {
  const moving = runs.filter(({ curve }) => curve.some(({ ready }) => ready !== curve[0]?.ready));
  const shown = (moving.length > 0 ? moving : runs).slice(0, 3);
  return (
    <XYChart
      title="Replicas ready"
      x={{ title: "since the start", format: (value) => (value === 0 ? "0" : duration(value)) }}
      y={{ title: "replicas", format: String }}
      series={shown.map(({ policy, curve }) => ({ key: policy, label: policy, look: "step", points: curve.map(({ at, ready }) => ({ x: at, y: ready })) }))}
    />
  );
}

function Moves({ of, run }: { of: string; run: Run | undefined }) {
  return (
    <Section title={`What Lamplight would have done, ${of}`} data={run?.decisions ?? []}>
      {(rows) =>
        rows.length === 0 ? (
          <p className={styles.wait}>It would not have changed the number of replicas{run === undefined ? ": its policy was not played" : ""}.</p>
        ) : (
          <Table
            rows={rows.slice(0, 50)}
            rowKey={({ at }) => at}
            columns={[
              { title: "After", cell: ({ at }) => duration(at) },
              { title: "To", cell: ({ replicas }) => replicas ?? UNKNOWN },
              { title: "Because", wide: true, cell: ({ sentence }) => sentence },
            ]}
          />
        )
      }
    </Section>
  );
}
