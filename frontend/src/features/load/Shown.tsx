import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useRef, type ReactNode } from "react";
import { isUnderWay, loadQuery, loadsKey, loadsQuery, stopLoad, type Load, type Measured } from "../../api/loads";
import { sentenceOf } from "../../api/problem";
import type { Zone } from "../../lib/time";
import { duration, format, percent, seconds, whole } from "../../lib/units";
import { say } from "../../state/said";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Course } from "./Course";
import { codeInWords, LOOKS, nameOf, VERDICTS } from "./view";
import styles from "./Load.module.css";

interface Props {
  team: string;
  name: string;
  id: string;
  /** The same load as the list has it, without how it went over time; until that is read, it says the most. */
  listed: Load | undefined;
  zone: Zone;
  mayStop: boolean;
}

/** One load as it goes on, and what came of it. */
export function Shown({ team, name, id, listed, zone, mayStop }: Props) {
  const read = useQuery({ ...loadQuery(team, name, id), placeholderData: listed });
  const { data } = read;
  const client = useQueryClient();
  const stop = useMutation({
    mutationFn: () => stopLoad(team, name, id),
    onSettled: () => client.invalidateQueries({ queryKey: loadsKey(team, name) }),
  });
  const goesOn = isUnderWay(data);
  useEffect(() => {
    // the list beside it says the same at once
    if (!goesOn) void client.invalidateQueries({ queryKey: loadsQuery(team, name).queryKey });
  }, [goesOn, client, team, name]);
  const wentOn = useRef(false);
  const end = data === undefined ? "" : data.message || LOOKS[data.status].word;
  useEffect(() => {
    if (wentOn.current && !goesOn && end !== "") say(end);
    wentOn.current = goesOn;
  }, [goesOn, end]);
  const isEnding = stop.isPending || data?.stopRequestedAt != null;
  return (
    <Section
      title={data === undefined ? "Load" : `Load: ${nameOf(data)}`}
      tools={
        goesOn &&
        mayStop && (
          <Button onClick={() => stop.mutate()} disabled={isEnding}>
            {isEnding ? "Stopping" : "Stop the load"}
          </Button>
        )
      }
      data={data}
      read={read}
    >
      {(load) => (
        <div className={styles.shown}>
          <Head load={load} zone={zone} />
          {stop.isError && (
            <p role="alert" className={styles.wrong}>
              {sentenceOf(stop.error)}
            </p>
          )}
          {load.measured === null ? (
            <p className="muted">{goesOn ? "Nothing was sent yet." : "Nothing was measured."}</p>
          ) : (
            <Results load={load} measured={load.measured} isPartial={read.isPlaceholderData} />
          )}
          {goesOn && (
            <p>
              See what the pool makes of it: its{" "}
              <Link to="/teams/$team/pools/$name/latency" params={{ team, name }}>
                latency
              </Link>{" "}
              and its{" "}
              <Link to="/teams/$team/pools/$name/scaling" params={{ team, name }}>
                scaling
              </Link>
              .
            </p>
          )}
        </div>
      )}
    </Section>
  );
}

function Head({ load, zone }: { load: Load; zone: Zone }) {
  const { status, sentence, message, measured, seconds: long, generation, readyAtStart, readyAtEnd, createdBy } = load;
  const passed = Math.min(long, measured?.seconds ?? 0);
  const waits = status === "running" && measured !== null && measured.seconds > long;
  return (
    <>
      <div className={styles.head}>
        <Status {...LOOKS[status]} label="Load" />
        <span>{sentence}</span>
        <span className="muted">
          begun <Age of={load.createdAt} zone={zone} /> ago
          {createdBy !== null && ` by ${createdBy}`}, generation {generation}
        </span>
      </div>
      {status === "running" && (
        <div className={styles.progress}>
          <progress max={long} value={passed} aria-label="Progress of the load" />
          <span>{waits ? "all is sent, the last answers are waited for" : `${duration(passed)} of ${duration(long)}`}</span>
        </div>
      )}
      {status === "queued" && <p className="muted">Waits for a worker.</p>}
      {message !== "" && (
        <p className={styles.said} data-tone={LOOKS[status].tone}>
          {message}
          {readyAtStart !== null && readyAtEnd !== null && ` Ready replicas: ${readyAtStart} at its start, ${readyAtEnd} at its end.`}
        </p>
      )}
    </>
  );
}

function Results({ load, measured, isPartial }: { load: Load; measured: Measured; isPartial: boolean }) {
  const { sent, ok, failed, shed, inFlight, cutOff, sentRate, okRate, outputTokenRate, promptTokens, cachedTokens, late } = measured;
  const facts: [string, ReactNode][] = [
    ["Sent", whole(sent)],
    ["Answered", whole(ok)],
    ["Failed", whole(failed)],
    inFlight > 0 ? ["Under way", whole(inFlight)] : ["Cut off", whole(cutOff)],
    ["Sent at", format(sentRate, "requests/s")],
    ["Answered at", format(okRate, "requests/s")],
    ["Output", format(outputTokenRate, "tokens/s")],
    ["From the cache", promptTokens > 0 && cachedTokens !== null ? `${percent(cachedTokens / promptTokens)} of prompt tokens` : "—"],
  ];
  const latencies = [
    ["TTFT", measured.ttft],
    ["ITL", measured.itl],
    ["TPOT", measured.tpot],
    ["End to end", measured.e2e],
  ] as const;
  return (
    <>
      <dl className={styles.facts}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {(late?.p95 ?? 0) > 0.25 && (
        <p className={styles.wrong}>Requests left {seconds(late?.p95 ?? 0)} late (p95): the server was too busy to send them, so these latencies are not only the pool’s.</p>
      )}
      {measured.objectives.length > 0 && (
        <Table
          rows={measured.objectives}
          rowKey={({ slo, key }) => `${slo} ${key}`}
          columns={[
            { title: "Promise", cell: ({ metric, threshold }) => promiseInWords(metric, threshold) },
            { title: "In this load", cell: ({ verdict }) => <Status {...VERDICTS[verdict]} label="Promise" /> },
            { title: "Kept", cell: ({ share, good, total }) => (share === null ? "—" : `${percent(share)} (${whole(good)} of ${whole(total)})`) },
            { title: "Promised", cell: ({ fraction }) => percent(fraction) },
            { title: "SLO", cell: ({ slo }) => slo },
          ]}
        />
      )}
      <Table
        rows={latencies}
        rowKey={([title]) => title}
        columns={[
          { title: "Latency", cell: ([title]) => title },
          ...(["p50", "p90", "p95", "p99", "max"] as const).map((key) => ({ title: key, cell: ([, found]: (typeof latencies)[number]) => format(found?.[key], "s") })),
        ]}
      />
      {measured.errors.length + shed > 0 && (
        <Table
          rows={measured.errors}
          rowKey={({ code }) => code}
          columns={[
            { title: "What failed", cell: ({ code }) => codeInWords(code) },
            { title: "Times", cell: ({ count }) => whole(count) },
            { title: "First said", wide: true, cell: ({ message }) => message },
          ]}
        />
      )}
      <Course sides={[{ load, measured }]} isLoading={isPartial} />
    </>
  );
}

const METRICS: Record<string, string> = { ttft: "TTFT", itl: "ITL", tpot: "TPOT", e2e: "End to end" };

export function promiseInWords(metric: string, threshold: number | null): string {
  return threshold === null ? "Without error" : `${METRICS[metric] ?? metric} within ${seconds(threshold)}`;
}
