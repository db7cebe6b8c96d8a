import { useMutation } from "@tanstack/react-query";
import { probe, type Gain, type Standing } from "../../api/offload";
import { sentenceOf } from "../../api/problem";
import { bytes, format, money, seconds, UNKNOWN } from "../../lib/units";
import { useMayWrite } from "../../state/rights";
import { Button } from "../../ui/Button";
import type { IconName } from "../../ui/Icon";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import { Table } from "../../ui/Table";
import styles from "./Offload.module.css";

const VERDICTS: Record<string, { icon: IconName; tone: Tone }> = {
  "in use": { icon: "check", tone: "ok" },
  "worth it": { icon: "up", tone: "info" },
  refused: { icon: "triangle", tone: "warn" },
  "no gain": { icon: "minus", tone: "none" },
};

const speed = (value: number | null | undefined) => format(value, "B/s");
const perHour = (gain: Gain | null) => (gain?.moneyPerHour == null ? UNKNOWN : money(gain.moneyPerHour.amount, gain.moneyPerHour.currency));

/** Each tier beside the others: what it measured, what it would save, and the verdict. */
export function Tiers({ of, team, name }: { of: Standing; team: string; name: string }) {
  const again = useMutation({ mutationFn: () => probe(team, name) });
  const mayWrite = useMayWrite(team);
  const hasVolumes = of.tiers.some(({ kind }) => kind === "filesystem" || kind === "object");
  return (
    <Section
      title="Tiers"
      note="a tier pays where loading is faster than computing, and something comes back to it"
      tools={
        hasVolumes &&
        mayWrite && (
          <Button onClick={() => again.mutate()} disabled={again.isPending}>
            Measure bandwidth anew
          </Button>
        )
      }
      data={of.tiers}
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
