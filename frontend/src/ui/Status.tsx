import type { Health, Sync } from "../api/types";
import { Icon, type IconName } from "./Icon";
import styles from "./Status.module.css";

export type Tone = "ok" | "info" | "warn" | "bad" | "none";

interface Look {
  icon: IconName;
  tone: Tone;
  word: string;
}

/** Declared against live. */
const SYNC: Record<Sync, Look> = {
  Synced: { icon: "synced", tone: "ok", word: "Synced" },
  OutOfSync: { icon: "diamond", tone: "warn", word: "Out of sync" },
  Unknown: { icon: "question", tone: "none", word: "Unknown" },
};

/** Does it serve. */
const HEALTH: Record<Health, Look> = {
  Healthy: { icon: "check", tone: "ok", word: "Healthy" },
  Progressing: { icon: "half", tone: "info", word: "Progressing" },
  Degraded: { icon: "triangle", tone: "bad", word: "Degraded" },
  Suspended: { icon: "pause", tone: "none", word: "Suspended" },
  Missing: { icon: "hollow", tone: "warn", word: "Missing" },
  Unknown: { icon: "question", tone: "none", word: "Unknown" },
};

export function Status({ icon, tone, word, label }: Look & { label: string }) {
  return (
    <span className={styles.status} data-tone={tone}>
      <Icon name={icon} />
      <span>
        <span className="visually-hidden">{label}: </span>
        {word}
      </span>
    </span>
  );
}

/** A status that this console does not know yet is shown as its own word, without a promise. */
function look<K extends string>(table: Record<K, Look>, value: K | undefined): Look {
  if (value === undefined) return { icon: "question", tone: "none", word: "Unknown" };
  return table[value] ?? { icon: "question", tone: "none", word: value };
}

/** Is what was promised kept. */
const SLO: Record<string, Look> = {
  Met: { icon: "check", tone: "ok", word: "Met" },
  AtRisk: { icon: "half", tone: "warn", word: "At risk" },
  Breached: { icon: "triangle", tone: "bad", word: "Breached" },
  Undecided: { icon: "question", tone: "none", word: "Undecided" },
  NoTraffic: { icon: "pause", tone: "none", word: "No traffic" },
  NoData: { icon: "hollow", tone: "none", word: "No data" },
};

export function SloStatus({ value }: { value: string | undefined }) {
  return <Status {...look(SLO, value)} label="SLO" />;
}

export function SyncStatus({ value }: { value: Sync | undefined }) {
  return <Status {...look(SYNC, value)} label="Sync" />;
}

export function HealthStatus({ value }: { value: Health | undefined }) {
  return <Status {...look(HEALTH, value)} label="Health" />;
}
