import type { Side, Standing } from "../../api/offload";
import { bytes, compact, duration, format, UNKNOWN } from "../../lib/units";
import { Age } from "../../ui/Age";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import styles from "./Offload.module.css";

/** The replica that tries a tier, beside itself before. */
export function Canary({ of }: { of: Standing }) {
  const { canary } = of;
  if (canary === null || canary.state === "none") return null;
  const row = (title: string, side: Side | null) => ({ title, side });
  return (
    <Section title={`One replica first: ${canary.state}`} note={canary.variant ?? undefined} data={[row("Without the tier", canary.before), row("With it", canary.after)]}>
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

/** What the last trial that ended has shown. */
export function Proof({ of: { proof } }: { of: Standing }) {
  if (proof == null) return null;
  const rows = [
    { key: "without", title: "Without it", side: proof.without },
    { key: "with", title: "With it", side: proof.with },
  ].flatMap(({ side, ...row }) => (side == null ? [] : [{ ...row, side }]));
  const tried = proof.tiers.map(({ kind, bytes: size }) => `${kind}${size === null ? "" : ` ${bytes(size)}`}`).join(", ");
  return (
    <Section title="The last trial" note={tried} data={rows}>
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
