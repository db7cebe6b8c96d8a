import { useQuery } from "@tanstack/react-query";
import { integrityQuery, type Integrity } from "../../api/integrity";
import { absolute, type Zone } from "../../lib/time";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import type { IconName } from "../../ui/Icon";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import { Table } from "../../ui/Table";
import styles from "./Pool.module.css";

const LOOKS: Record<Integrity["state"], { icon: IconName; tone: Tone; word: string }> = {
  fed: { icon: "check", tone: "ok", word: "Fed" },
  starved: { icon: "triangle", tone: "bad", word: "Starved" },
  unknown: { icon: "question", tone: "none", word: "Unknown" },
};

/** Whether the very signals that each loop reads are there, with what is wrong and the mend. */
export function Fed({ team, name, zone }: { team: string; name: string; zone: Zone }) {
  const read = useQuery(integrityQuery(team, name));
  const { data } = read;
  return (
    <Section
      title="Signal integrity"
      note={data?.checkedAt == null ? undefined : <Age of={data.checkedAt} zone={zone} />}
      data={data}
      read={read}
    >
      {({ loops, findings, targets, checkedAt }) =>
        checkedAt === null ? (
          <EmptyState title="Nothing was probed yet.">
            <p>Once a minute Lamplight asks whether every loop of this pool gets the signals that it reads.</p>
            <Button onClick={() => void read.refetch()}>Look again</Button>
          </EmptyState>
        ) : (
          <>
            <ul className={styles.loops}>
              {loops.map(({ loop, state }) => (
                <li key={loop}>
                  <b>{loop}</b> <Status {...LOOKS[state]} label={loop} />
                </li>
              ))}
            </ul>
            {findings.map(({ reason, message, loops: starved }) => (
              <p key={`${reason} ${message}`} className={styles.finding}>
                <code>{reason}</code> {message} {starved.length > 0 && <span className="muted">Starves: {starved.join(", ")}.</span>}
              </p>
            ))}
            {targets.length > 0 && (
              <Table
                rows={targets}
                rowKey={({ name: target }) => target}
                columns={[
                  { title: "Page", cell: ({ name: target }) => <span className="mono">{target}</span> },
                  { title: "Of", cell: ({ kind }) => kind },
                  {
                    title: "Answers",
                    cell: ({ answers }) => <Status icon={answers ? "check" : "triangle"} tone={answers ? "ok" : "bad"} word={answers ? "Yes" : "No"} label="Answers" />,
                  },
                  { title: "Models", cell: ({ models }) => models.join(", ") },
                  { title: "Counters moved", cell: ({ movedAt }) => (movedAt === null ? "not seen" : absolute(movedAt * 1000, zone)) },
                  { title: "Why not", wide: true, cell: ({ reason }) => reason },
                ]}
              />
            )}
          </>
        )
      }
    </Section>
  );
}
