import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "../../api/keys";
import { revisionDiffQuery, rollBack } from "../../api/plans";
import { sentenceOf } from "../../api/problem";
import { revisionsQuery } from "../../api/queries";
import type { Revision } from "../../api/types";
import { zoneOf } from "../../lib/timeRange";
import { useMayWrite } from "../../state/rights";
import { say } from "../../state/said";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { EmptyState } from "../../ui/Message";
import { Opened } from "../../ui/Opened";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { Fields } from "../change/PlanView";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

const route = getRouteApi("/shell/teams/$team/pools/$name/revisions");

/** Every accepted declaration of the pool, newest first; any two side by side; the way back. */
export function Revisions() {
  const pool = usePool();
  const { team, name, generation: present } = pool.metadata;
  const zone = zoneOf(useTimeView()[0]);
  const { a: from, b: to } = route.useSearch();
  const navigate = route.useNavigate();
  const read = useQuery(revisionsQuery(team, name));
  const { data } = read;
  const mayWrite = useMayWrite(team);
  const [back, setBack] = useState<number>();
  const note = data?.next == null ? undefined : `newest ${data.items.length}`;
  const compare = (older: number, newer: number) => void navigate({ search: { a: Math.min(older, newer), b: Math.max(older, newer) } });

  return (
    <div className={styles.stack}>
      <Section title="Revisions" note={note} data={data?.items} read={read}>
        {(revisions) =>
          revisions.length === 0 ? (
            <EmptyState title="No declaration of this pool is kept.">
              <Link to="/teams/$team/pools/$name/yaml" params={{ team, name }}>
                See what is declared now
              </Link>
            </EmptyState>
          ) : (
          <Table
            rows={revisions}
            rowKey={({ generation }) => generation}
            columns={[
              { title: "Generation", cell: ({ generation }) => (generation === present ? `${generation}, declared now` : generation) },
              { title: "Accepted", cell: ({ acceptedAt }) => <Age of={acceptedAt} zone={zone} /> },
              { title: "Who", cell: ({ author }) => author },
              { title: "Rendered", cell: ({ renderedHash }) => (renderedHash === null ? "—" : <code>{renderedHash.slice(0, 12)}</code>) },
              { title: "Why", cell: ({ reason }) => reason ?? "—", wide: true },
              {
                title: "Action",
                cell: ({ generation }) =>
                  generation === 1 && present === 1 ? null : (
                  <span className={styles.actions}>
                    {generation > 1 && (
                      <Button onClick={() => compare(generation - 1, generation)} aria-label={`Changes of generation ${generation}`}>
                        Changes
                      </Button>
                    )}
                    {generation !== present && (
                      <>
                        <Button onClick={() => compare(generation, present)} aria-label={`Compare generation ${generation} with now`}>
                          Compare
                        </Button>
                        {mayWrite && (
                          <Button onClick={() => setBack(generation)} aria-label={`Roll back to generation ${generation}`}>
                            Roll back
                          </Button>
                        )}
                      </>
                    )}
                  </span>
                ),
              },
            ]}
          />
        )}
      </Section>
      {back !== undefined && (
        <Opened key={back}>
          <RollBack team={team} name={name} etag={`"${pool.metadata.uid}:${pool.metadata.version}"`} to={back} onDone={() => setBack(undefined)} />
        </Opened>
      )}
      {from !== undefined && to !== undefined && data !== undefined && (
        <Difference team={team} name={name} from={from} to={to} revisions={data.items} onChoose={compare} />
      )}
    </div>
  );
}

interface DifferenceProps {
  team: string;
  name: string;
  from: number;
  to: number;
  revisions: Revision[];
  onChoose: (from: number, to: number) => void;
}

function Difference({ team, name, from, to, revisions, onChoose }: DifferenceProps) {
  const read = useQuery(revisionDiffQuery(team, name, from, to));
  const { data } = read;
  const options = revisions.map(({ generation }) => <option key={generation}>{generation}</option>);
  return (
    <Section
      title="Difference"
      tools={
        <div className={styles.actions}>
          <label>
            from{" "}
            <select value={from} onChange={({ target }) => onChoose(Number(target.value), to)}>
              {options}
            </select>
          </label>
          <label>
            to{" "}
            <select value={to} onChange={({ target }) => onChoose(from, Number(target.value))}>
              {options}
            </select>
          </label>
        </div>
      }
      data={data}
      read={read}
    >
      {({ spec, objects, reason }) => (
        <div className={styles.difference}>
          {spec.length === 0 ? (
            <EmptyState title={`Generations ${from} and ${to} declare the same.`}>
              <Link to="/teams/$team/pools/$name/yaml" params={{ team, name }}>
                See what is declared now
              </Link>
            </EmptyState>
          ) : <Fields fields={spec} />}
          {(objects ?? [])
            .filter(({ fields }) => fields.length > 0)
            .map(({ kind, name: object, fields }) => (
              <details key={`${kind}/${object}`}>
                <summary>
                  {kind} {object}: {fields.length} {fields.length === 1 ? "field differs" : "fields differ"}
                </summary>
                <Fields fields={fields} />
              </details>
            ))}
          {reason !== null && <p className="muted">Objects are not compared: {reason}.</p>}
        </div>
      )}
    </Section>
  );
}

function RollBack({ team, name, etag, to, onDone }: { team: string; name: string; etag: string; to: number; onDone: () => void }) {
  const client = useQueryClient();
  const [reason, setReason] = useState("");
  const doing = useMutation({
    mutationFn: () => rollBack(team, name, to, etag, reason),
    onSuccess: () => {
      say(`Rolled back: generation ${to} is declared anew.`);
      onDone();
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.pool(team, name) }),
  });
  return (
    <section className={styles.hand} aria-label={`Roll back to generation ${to}`}>
      <p>This declares generation {to} anew, as a new generation. Replicas whose engine differs are replaced as in any rollout.</p>
      <Field label="Why">
        <input value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
      </Field>
      <Button look="primary" onClick={() => doing.mutate()} disabled={doing.isPending}>
        Roll back to generation {to}
      </Button>
      <Button onClick={onDone}>Leave it</Button>
      {doing.isError && (
        <p role="alert" className="bad">
          {sentenceOf(doing.error)}
        </p>
      )}
    </section>
  );
}
