import type { Standing, Store } from "../../api/offload";
import { bytes, compact, duration, format, money, percent, seconds, UNKNOWN } from "../../lib/units";
import type { IconName } from "../../ui/Icon";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import { Table } from "../../ui/Table";
import poolStyles from "../pool/Pool.module.css";
import styles from "./Offload.module.css";

const EVICTOR: Record<string, { icon: IconName; tone: Tone }> = {
  keeping: { icon: "check", tone: "ok" },
  blind: { icon: "question", tone: "warn" },
  behind: { icon: "triangle", tone: "warn" },
  unreadable: { icon: "triangle", tone: "bad" },
};

/** The pool's folder on a shared volume: how full, who keeps it, what it has brought, and whose lie beside it. */
export function Volume({ of: { store } }: { of: Standing }) {
  if (store == null) return null;
  return (
    <Section title={`Volume ${store.claim ?? ""}`} note="the pool's folder, as its evictor last told" data={store}>
      {(told) => <Told of={told} />}
    </Section>
  );
}

function Told({ of }: { of: Store }) {
  const { evictor, worth } = of;
  const facts: [string, string][] = [
    ["Holds", share(of.usedBytes, of.quotaBytes, "its quota")],
    ["Volume", share(left(of.volumeBytes, of.volumeFreeBytes), of.volumeBytes, "all")],
    ["Chunks", of.chunks === null ? UNKNOWN : compact(of.chunks)],
    ["In two folders", of.duplicates === null ? UNKNOWN : compact(of.duplicates)],
    ["Engines write", format(of.growthBytesPerSecond, "B/s")],
    ["Quota reached", of.fullInSeconds === null ? "not at this rate" : `in ${duration(of.fullInSeconds)}`],
    ["Smallest quota", bytes(of.leastQuotaBytes)],
    ["Used again within", evictor?.reuseSeconds == null ? UNKNOWN : `${seconds(evictor.reuseSeconds)} (95 %)`],
    ["Loaded from it", worth === null ? UNKNOWN : `${compact(worth.tokensPerHour)} tokens/h`],
    ["Chunks found there", format(worth?.hitRate, "1")],
    ["Saves", worth === null ? UNKNOWN : money(worth.moneyPerHour.amount, worth.moneyPerHour.currency)],
  ];
  return (
    <div className={styles.standing}>
      {of.problem !== null && (
        <p className={styles.note}>
          <Status icon="triangle" tone="bad" word="Problem" label="Volume" /> {of.problem}
        </p>
      )}
      {evictor !== null && (
        <p className={styles.note}>
          <Status icon={EVICTOR[evictor.state]?.icon ?? "question"} tone={EVICTOR[evictor.state]?.tone ?? "none"} word={evictor.state} label="Evictor" /> {evictor.sentence}
        </p>
      )}
      {worth !== null && <p>{worth.sentence}</p>}
      <dl className={poolStyles.facts}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {of.pools.length > 1 && (
        <Table
          rows={of.pools}
          rowKey={({ pool }) => pool}
          columns={[
            { title: "Pool", cell: ({ pool }) => pool },
            { title: "Holds", cell: ({ usedBytes }) => bytes(usedBytes) },
            { title: "Quota", cell: ({ quotaBytes }) => bytes(quotaBytes) },
            { title: "Writes", cell: ({ growthBytesPerSecond }) => format(growthBytesPerSecond, "B/s") },
            { title: "Saves", cell: (one) => (one.worth === null ? UNKNOWN : money(one.worth.moneyPerHour.amount, one.worth.moneyPerHour.currency)) },
          ]}
        />
      )}
      {of.quotas !== null && <p>{of.quotas}</p>}
      {of.otherTeams.pools > 0 && (
        <p className="muted">
          Pools of other teams hold {bytes(of.otherTeams.usedBytes)} of it.
        </p>
      )}
    </div>
  );
}

function left(all: number | null, free: number | null): number | null {
  return all === null || free === null ? null : all - free;
}

/** "1.2 GiB, 12 % of its quota" */
function share(part: number | null, all: number | null, of: string): string {
  if (part === null) return UNKNOWN;
  return all === null || all <= 0 ? bytes(part) : `${bytes(part)}, ${percent(part / all)} of ${of === "all" ? bytes(all) : `${of} of ${bytes(all)}`}`;
}
