import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { keys } from "../../api/keys";
import { sentenceOf } from "../../api/problem";
import { act, rolloutQuery, type Rollout as Shape } from "../../api/rollout";
import { zoneOf } from "../../lib/timeRange";
import { UNKNOWN } from "../../lib/units";
import { useMayWrite } from "../../state/rights";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import type { IconName } from "../../ui/Icon";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

const STATES: Record<Shape["state"], { icon: IconName; tone: Tone; word: string }> = {
  Progressing: { icon: "half", tone: "info", word: "Progressing" },
  Paused: { icon: "pause", tone: "warn", word: "Paused" },
  Stopped: { icon: "triangle", tone: "bad", word: "Stopped" },
  Complete: { icon: "check", tone: "ok", word: "Complete" },
  Idle: { icon: "minus", tone: "none", word: "Idle" },
};

/** How the newest declaration is reaching the replicas, and the hand on it. */
export function Rollout() {
  const { team, name } = usePool().metadata;
  const zone = zoneOf(useTimeView()[0]);
  const read = useQuery(rolloutQuery(team, name));
  const { data } = read;
  return (
    <div className={styles.stack}>
      <Section title="Rollout" data={data} read={read}>
        {(rollout) => (
          <div className={styles.rollout}>
            <p className={styles.sentence}>
              <Status {...STATES[rollout.state]} label="Rollout" />
              <span>
                Generation {rollout.generation}
                {(rollout.message || rollout.reason) && `: ${rollout.message || rollout.reason}`}
              </span>
            </p>
            <dl className={styles.facts}>
              <div>
                <dt>Started</dt>
                <dd>
                  <Age of={rollout.startedAt} zone={zone} /> ago
                </dd>
              </div>
              <div>
                <dt>Finished</dt>
                <dd>
                  {rollout.finishedAt === null ? (
                    "not yet"
                  ) : (
                    <>
                      <Age of={rollout.finishedAt} zone={zone} /> ago
                    </>
                  )}
                </dd>
              </div>
              <div>
                <dt>Deadline</dt>
                <dd>{rollout.deadline === null ? UNKNOWN : new Date(rollout.deadline).toLocaleTimeString("en-GB")}</dd>
              </div>
              <div>
                <dt>Last healthy generation</dt>
                <dd>{rollout.lastHealthyGeneration ?? UNKNOWN}</dd>
              </div>
            </dl>
            <Hand team={team} name={name} rollout={rollout} />
          </div>
        )}
      </Section>
      {data !== undefined && data.variants.length > 0 && (
        <Section title="Variants" note="of the newest declaration" data={data.variants}>
          {(variants) => (
            <Table
              rows={variants}
              rowKey={({ name: variant }) => variant}
              columns={[
                { title: "Variant", cell: ({ name: variant }) => variant },
                { title: "State", cell: ({ state }) => state },
                { title: "Newest", cell: ({ updated, desired }) => `${updated ?? UNKNOWN} of ${desired ?? UNKNOWN}` },
                { title: "Ready", cell: ({ ready }) => ready ?? UNKNOWN },
                { title: "Old", cell: ({ old }) => old ?? UNKNOWN },
                {
                  title: "Strategy",
                  wide: true,
                  cell: ({ strategy }) =>
                    strategy === null ? UNKNOWN : `surge ${strategy.maxSurge}, unavailable ${strategy.maxUnavailable}: ${strategy.why}`,
                },
                {
                  title: "To blame",
                  wide: true,
                  cell: ({ blamed }) =>
                    blamed === null ? (
                      ""
                    ) : (
                      <>
                        <span className="mono">{blamed.pod}</span> <code>{blamed.reason}</code> {blamed.message}
                        {blamed.lastLine !== null && blamed.lastLine !== "" && <pre className={styles.lastLine}>{blamed.lastLine}</pre>}
                      </>
                    ),
                },
              ]}
            />
          )}
        </Section>
      )}
    </div>
  );
}

function Hand({ team, name, rollout }: { team: string; name: string; rollout: Shape }) {
  const client = useQueryClient();
  const mayWrite = useMayWrite(team);
  const [reason, setReason] = useState("");
  const doing = useMutation({
    mutationFn: (action: "pause" | "resume" | "abort") => act(team, name, action, reason),
    onSettled: () => client.invalidateQueries({ queryKey: keys.pool(team, name) }),
  });
  const { can, abortsTo } = rollout;
  if (!mayWrite || (!can.pause && !can.resume && !can.abort)) return null;
  return (
    <div className={styles.hand}>
      <Field label="Why">
        <input value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
      </Field>
      {can.pause && (
        <Button onClick={() => doing.mutate("pause")} disabled={doing.isPending}>
          Pause
        </Button>
      )}
      {can.resume && (
        <Button look="primary" onClick={() => doing.mutate("resume")} disabled={doing.isPending}>
          Resume
        </Button>
      )}
      {can.abort && (
        <Button onClick={() => doing.mutate("abort")} disabled={doing.isPending}>
          Abort{abortsTo === null ? "" : `: back to generation ${abortsTo}`}
        </Button>
      )}
      {doing.isError && (
        <p role="alert" className="bad">
          {sentenceOf(doing.error)}
        </p>
      )}
    </div>
  );
}
