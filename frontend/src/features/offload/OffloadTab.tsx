import { useInfiniteQuery, useMutation, useQuery } from "@tanstack/react-query";
import { curveQuery, offloadDecisionsQuery, offloadQuery, probe, sizesQuery, type Curve, type Gain, type Side, type Standing } from "../../api/offload";
import { sentenceOf } from "../../api/problem";
import { XYChart } from "../../charts/XYChart";
import { zoneOf, type TimeView } from "../../lib/timeRange";
import { bytes, compact, duration, format, money, percent, seconds, UNKNOWN } from "../../lib/units";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import type { IconName } from "../../ui/Icon";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { usePool } from "../pool/usePool";
import poolStyles from "../pool/Pool.module.css";
import styles from "./Offload.module.css";

const VERDICTS: Record<string, { icon: IconName; tone: Tone }> = {
  "in use": { icon: "check", tone: "ok" },
  "worth it": { icon: "up", tone: "info" },
  refused: { icon: "triangle", tone: "warn" },
  "no gain": { icon: "minus", tone: "none" },
};

const speed = (value: number | null | undefined) => (value == null ? UNKNOWN : `${bytes(value)}/s`);
const perHour = (gain: Gain | null) => (gain?.moneyPerHour == null ? UNKNOWN : money(gain.moneyPerHour.amount, gain.moneyPerHour.currency));

/** What each tier below the accelerators' memory is worth, what is in force, and why. */
export function OffloadTab() {
  const { team, name } = usePool().metadata;
  const [view] = useTimeView();
  const { data, error, refetch } = useQuery(offloadQuery(team, name));
  return (
    <div className={poolStyles.stack}>
      <Section title="Offload of KV blocks" data={data} error={error} onRetry={() => void refetch()}>
        {(standing) => <HowItStands of={standing} view={view} />}
      </Section>
      {data !== undefined && data.mode !== "off" && (
        <>
          <Tiers of={data} team={team} name={name} />
          <MissRatio of={data} team={team} name={name} />
          <Sizes team={team} name={name} />
          <Canary of={data} />
          <Proof of={data} />
          <OffloadDecisions team={team} name={name} />
        </>
      )}
    </div>
  );
}

function HowItStands({ of, view }: { of: Standing; view: TimeView }) {
  if (of.mode === "off") {
    return (
      <EmptyState title="This pool offloads nothing.">
        <p>{of.owner}</p>
        <p>Declare spec.offload with mode advisory to see what host memory or a volume would be worth; auto lets Lamplight put it in force.</p>
      </EmptyState>
    );
  }
  const { measured } = of;
  const facts: [string, string][] = [
    ["Mode", of.mode],
    ["Phase", of.phase],
    ["KV bytes of a token", of.kvBytesPerToken === null ? UNKNOWN : bytes(of.kvBytesPerToken)],
    ["Prefill", format(of.prefillTokensPerSecond, "tokens/s")],
    ["Chunk", of.plan?.chunkTokens == null ? UNKNOWN : `${of.plan.chunkTokens} tokens`],
    ["Events from", measured?.engines == null ? UNKNOWN : `${measured.engines} engines`],
    ["Lost", measured?.dropped == null ? UNKNOWN : `${compact(measured.dropped)} events, ${measured.gaps ?? 0} gaps`],
  ];
  return (
    <div className={styles.standing}>
      <p>{of.decision?.sentence ?? of.owner}</p>
      {of.decision !== null && <p className="muted">{of.owner}</p>}
      {measured !== null && measured.state !== "ok" && (
        <p className={styles.note}>
          <Status icon="question" tone="warn" word={measured.state} label="Measured" /> {measured.reason}
        </p>
      )}
      <dl className={poolStyles.facts}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {measured?.at != null && (
          <div>
            <dt>Measured</dt>
            <dd>
              <Age of={measured.at} zone={zoneOf(view)} />
            </dd>
          </div>
        )}
      </dl>
    </div>
  );
}

function Tiers({ of, team, name }: { of: Standing; team: string; name: string }) {
  const again = useMutation({ mutationFn: () => probe(team, name) });
  const hasVolumes = of.tiers.some(({ kind }) => kind === "filesystem" || kind === "object");
  return (
    <Section
      title="Tiers"
      note="a tier pays where loading is faster than computing, and something comes back to it"
      tools={
        hasVolumes && (
          <Button onClick={() => again.mutate()} disabled={again.isPending}>
            Measure the volumes anew
          </Button>
        )
      }
      data={of.tiers}
      error={null}
      onRetry={() => undefined}
    >
      {(tiers) => (
        <>
          {again.isError && (
            <p role="alert" className={styles.said}>
              {sentenceOf(again.error)}
            </p>
          )}
          {again.isSuccess && (
            <p role="status" className={styles.said}>
              Asked; a Job in the cluster measures, and the figures come with it.
            </p>
          )}
          <Table
            rows={tiers}
            rowKey={({ kind, claim }) => `${kind} ${claim ?? ""}`}
            columns={[
              { title: "Tier", cell: ({ kind, claim }) => (claim == null ? kind : `${kind} (${claim})`) },
              { title: "Verdict", cell: ({ verdict }) => <Status icon={VERDICTS[verdict]?.icon ?? "question"} tone={VERDICTS[verdict]?.tone ?? "none"} word={verdict} label="Verdict" /> },
              { title: "Size", cell: (tier) => bytes(tier.bytes) },
              { title: "Loads at", cell: (tier) => (tier.kind === "device" ? UNKNOWN : `${speed(tier.bytesPerSecond)}${tier.source === null ? "" : ` (${tier.source})`}`) },
              { title: "Break-even", cell: ({ breakEven }) => speed(breakEven) },
              { title: "Found", cell: ({ hitRate }) => format(hitRate, "1") },
              { title: "Saves", cell: ({ gain }) => perHour(gain) },
              { title: "TTFT", cell: ({ gain }) => (gain?.ttftSeconds == null ? UNKNOWN : `${gain.ttftSeconds < 0 ? "+" : "−"}${seconds(Math.abs(gain.ttftSeconds))}`) },
              { title: "Why", wide: true, cell: ({ sentence }) => sentence },
            ]}
          />
        </>
      )}
    </Section>
  );
}

/** Bytes of a replica's cache with the host tier that would pay and is not there; null where none is proposed. */
export function proposedBytes({ tiers }: Standing, present: number | undefined): number | null {
  const more = tiers.filter(({ kind, on, verdict, bytes: size }) => kind === "host" && !on && verdict === "worth it" && size !== null);
  if (present === undefined || more.length === 0) return null;
  return more.reduce((sum, { bytes: size }) => sum + (size ?? 0), present);
}

/** The curve alone, for the page about the cache; nothing where the pool measures no curve. */
export function CacheCurve({ team, name }: { team: string; name: string }) {
  const { data } = useQuery(offloadQuery(team, name));
  if (data === undefined || data.mode === "off") return null;
  return <MissRatio of={data} team={team} name={name} />;
}

function MissRatio({ of, team, name }: { of: Standing; team: string; name: string }) {
  const replica = useQuery(curveQuery(team, name, "replica"));
  const pool = useQuery(curveQuery(team, name, "pool"));
  const both = [
    { title: "a cache for each replica", found: replica },
    { title: "one cache for the pool", found: pool },
  ];
  const main = replica.data;
  const note = main?.state !== "ok" ? (main?.reason ?? "") : facts(main);
  const proposed = proposedBytes(of, main?.present?.bytes);
  const marks =
    main === undefined
      ? []
      : [
          ...(main.present === null ? [] : [{ x: main.present.bytes, label: "present" }]),
          ...(main.knee === null ? [] : [{ x: main.knee.bytes, label: `knee: ${bytes(main.knee.bytes)}` }]),
          ...(proposed === null ? [] : [{ x: proposed, label: `proposed: ${bytes(proposed)}` }]),
        ];
  if (replica.error !== null && main === undefined) {
    return (
      <Section title="Hit rate by size" data={undefined} error={replica.error} onRetry={() => void replica.refetch()}>
        {() => null}
      </Section>
    );
  }
  return (
    <XYChart
      title="Hit rate by size of the cache"
      x={{ title: "bytes, accelerators and tiers together", format: bytes, isLog: true }}
      y={{ title: "prompt tokens found", format: percent }}
      series={both.flatMap(({ title, found }, at) =>
        found.data === undefined || found.data.points.length === 0 ? [] : [{ key: `curve${at}`, label: title, look: "line" as const, points: found.data.points.map((one) => ({ x: one.bytes, y: one.hitRate })) }],
      )}
      at={marks}
      level={main?.ceiling == null ? [] : [{ y: main.ceiling, label: `no cache finds more than ${percent(main.ceiling)}` }]}
      note={note}
    />
  );
}

/** What the last trial that ended has shown. */
function Proof({ of: { proof } }: { of: Standing }) {
  if (proof == null) return null;
  const rows = [
    { key: "without", title: "Without it", side: proof.without },
    { key: "with", title: "With it", side: proof.with },
  ].flatMap(({ side, ...row }) => (side == null ? [] : [{ ...row, side }]));
  const tried = proof.tiers.map(({ kind, bytes: size }) => `${kind}${size === null ? "" : ` ${bytes(size)}`}`).join(", ");
  return (
    <Section title="The last trial" note={tried} data={rows} error={null} onRetry={() => undefined}>
      {(sides) => (
        <>
          <p className={styles.said}>
            <Status {...(proof.kept ? ({ icon: "check", tone: "ok", word: "Kept" } as const) : ({ icon: "down", tone: "warn", word: "Taken back" } as const))} label="Trial" />{" "}
            <Age of={proof.at} /> ago. {proof.sentence}
          </p>
          <Table
            rows={sides}
            rowKey={({ key }) => key}
            columns={[
              { title: "Replicas", cell: ({ title }) => title },
              { title: "Watched for", cell: ({ side }) => (side.seconds === null ? UNKNOWN : duration(side.seconds)) },
              { title: "Prompt tokens", cell: ({ side }) => (side.promptTokens === null ? UNKNOWN : compact(side.promptTokens)) },
              { title: "Found", cell: ({ side }) => format(side.hitRate, "1") },
              { title: "Work for 1,000 tokens", cell: ({ side }) => format(side.gpuSecondsPerKtok, "s") },
              { title: "TTFT, mean", cell: ({ side }) => format(side.ttftMean, "s") },
            ]}
          />
        </>
      )}
    </Section>
  );
}

function facts({ oneHitShare, reuseTime }: Curve): string {
  const parts = [];
  if (oneHitShare !== null) parts.push(`${percent(oneHitShare)} of blocks never come back`);
  if (reuseTime?.p50 != null) parts.push(`half of those that do within ${duration(reuseTime.p50)}`);
  return parts.join("; ");
}

function Sizes({ team, name }: { team: string; name: string }) {
  const { data, error, refetch } = useQuery(sizesQuery(team, name));
  return (
    <Section title="What if it were larger" data={data} error={error} onRetry={() => void refetch()}>
      {({ rows, reason }) =>
        rows.length === 0 ? (
          <EmptyState title="There are no sizes to compare yet.">
            <p>{reason}</p>
          </EmptyState>
        ) : (
          <Table
            rows={rows}
            rowKey={({ kind, bytes: size }) => `${kind} ${size}`}
            columns={[
              { title: "Tier and size", cell: ({ kind, bytes: size, chosen }) => `${kind} ${bytes(size)}${chosen ? " (chosen)" : ""}` },
              { title: "Hit rate", cell: ({ hitRate }) => format(hitRate, "1") },
              { title: "Accelerators", cell: ({ accelerators }) => (accelerators === null ? UNKNOWN : signed(accelerators)) },
              { title: "Costs", cell: ({ cost }) => money(cost?.amount, cost?.currency) },
              { title: "Saves", cell: ({ gain }) => money(gain?.amount, gain?.currency) },
              { title: "In words", wide: true, cell: ({ sentence }) => sentence },
            ]}
          />
        )
      }
    </Section>
  );
}

function signed(value: number): string {
  return value > 0 ? `+${compact(value)}` : value < 0 ? `−${compact(-value)}` : "0";
}

function Canary({ of }: { of: Standing }) {
  const { canary } = of;
  if (canary === null || canary.state === "none") return null;
  const row = (title: string, side: Side | null) => ({ title, side });
  return (
    <Section title={`One replica first: ${canary.state}`} note={canary.variant ?? undefined} data={[row("Without the tier", canary.before), row("With it", canary.after)]} error={null} onRetry={() => undefined}>
      {(rows) => (
        <Table
          rows={rows}
          rowKey={({ title }) => title}
          columns={[
            { title: "Replica", cell: ({ title }) => title },
            { title: "Watched", cell: ({ side }) => (side?.seconds == null ? UNKNOWN : duration(side.seconds)) },
            { title: "Prompt tokens", cell: ({ side }) => (side?.promptTokens == null ? UNKNOWN : compact(side.promptTokens)) },
            { title: "Hit rate", cell: ({ side }) => format(side?.hitRate, "1") },
            { title: "TTFT, mean", cell: ({ side }) => format(side?.ttftMean, "s") },
          ]}
        />
      )}
    </Section>
  );
}

function OffloadDecisions({ team, name }: { team: string; name: string }) {
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = useInfiniteQuery(offloadDecisionsQuery(team, name));
  const zone = zoneOf(useTimeView()[0]);
  return (
    <Section title="Decisions on tiers" data={data?.pages.flatMap(({ items }) => items)} error={error} onRetry={() => void refetch()}>
      {(rows) =>
        rows.length === 0 ? (
          <EmptyState title="Nothing was decided yet." />
        ) : (
          <>
            <Table
              rows={rows}
              rowKey={({ id }) => id}
              columns={[
                { title: "When", cell: ({ firstAt }) => <Age of={firstAt} zone={zone} /> },
                { title: "Decision", cell: ({ verb }) => verb },
                { title: "Bound by", cell: ({ binding }) => binding },
                { title: "Times", cell: ({ count }) => count },
                { title: "Because", wide: true, cell: ({ sentence }) => sentence },
                { title: "Done", wide: true, cell: ({ actuation }) => actuation ?? "nothing had to be done" },
              ]}
            />
            {hasNextPage && (
              <div className={poolStyles.more}>
                <Button onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
                  Show older
                </Button>
              </div>
            )}
          </>
        )
      }
    </Section>
  );
}
