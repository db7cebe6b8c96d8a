import { useState } from "react";
import type { Step } from "../../api/slos";
import { absolute, day, type Zone } from "../../lib/time";
import { percent, UNKNOWN } from "../../lib/units";
import { Button } from "../../ui/Button";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import type { Read } from "../../ui/read";
import { Icon, type IconName } from "../../ui/Icon";
import { Table } from "../../ui/Table";
import styles from "./Slo.module.css";

const LOOKS: Record<Step["state"], { icon: IconName; word: string }> = {
  met: { icon: "check", word: "met" },
  breached: { icon: "triangle", word: "breached" },
  undecided: { icon: "question", word: "undecided" },
  no_traffic: { icon: "pause", word: "no traffic" },
  unknown: { icon: "hollow", word: "not measured" },
};

interface Props {
  steps: Step[] | undefined;
  read: Read;
  zone: Zone;
}

const share = ({ attained }: Step) => (attained === null ? UNKNOWN : percent(attained));

/** A cell a day (or a step): shape, colour and figure say how it went; the same as a table. */
export function CalendarStrip({ steps, read, zone }: Props) {
  const [asTable, setAsTable] = useState(false);
  if (steps === undefined) {
    if (read.error !== null) return <ErrorPanel error={read.error} what="The calendar could not be loaded." onRetry={() => void read.refetch()} />;
    return <Skeleton height="5rem" label="Loading the calendar" />;
  }
  return (
    <div>
      <NotRefreshed read={read} />
      <div className={styles.title}>
        <h3>Calendar</h3>
        <Button look="quiet" aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
          <Icon name={asTable ? "chart" : "table"} /> {asTable ? "As cells" : "As a table"}
        </Button>
      </div>
      {steps.length === 0 && (
        <EmptyState title="No day of this objective has been judged yet.">
          <Button onClick={() => void read.refetch()}>Look again</Button>
        </EmptyState>
      )}
      {steps.length === 0 ? null : asTable ? (
        <div className={styles.frame} tabIndex={0} role="group" aria-label="Calendar as a table">
          <Table
            rows={steps.toReversed()}
            rowKey={({ start }) => start}
            columns={[
              { title: "From", cell: ({ start }) => absolute(start * 1000, zone) },
              { title: "State", cell: ({ state }) => LOOKS[state].word },
              { title: "Attained", cell: share },
              { title: "Outside", cell: ({ bad, events }) => (bad === null || events === null ? UNKNOWN : `${Math.round(bad)} of ${Math.round(events)}`) },
              { title: "Measured", cell: ({ knownShare }) => (knownShare === null ? UNKNOWN : percent(knownShare)) },
            ]}
          />
        </div>
      ) : (
        <ol className={styles.calendar}>
          {steps.map((step) => (
            <li key={step.start} data-state={step.state} title={`${absolute(step.start * 1000, zone)}: ${LOOKS[step.state].word}, ${share(step)}`}>
              <span>{day(step.start * 1000, zone)}</span>
              <Icon name={LOOKS[step.state].icon} />
              <span className="visually-hidden">{LOOKS[step.state].word} </span>
              <b className="number">{share(step)}</b>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
