import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { sentenceOf } from "../../api/problem";
import { teamsQuery } from "../../api/queries";
import { deleteWebhook, deliveriesQuery, makeWebhook, renewSecret, testWebhook, WEBHOOKS, webhooksQuery, type Delivery, type Webhook } from "../../api/webhooks";
import { useWritable } from "../../state/rights";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Field, fieldRow } from "../../ui/Field";
import type { IconName } from "../../ui/Icon";
import { EmptyState } from "../../ui/Message";
import { Opened } from "../../ui/Opened";
import { Section } from "../../ui/Section";
import { SureButton } from "../../ui/SureButton";
import { Status, type Tone } from "../../ui/Status";
import { Table } from "../../ui/Table";
import styles from "./Settings.module.css";
import { ShownOnce } from "./ShownOnce";

const LOOKS: Record<Delivery["state"], { icon: IconName; tone: Tone; word: string }> = {
  waiting: { icon: "half", tone: "info", word: "Waiting" },
  delivered: { icon: "check", tone: "ok", word: "Delivered" },
  failed: { icon: "triangle", tone: "bad", word: "Failed" },
};

const named = ({ metadata: { team, name } }: Webhook) => `${team}/${name}`;

/** Where teams are told of alerts. */
export function Webhooks() {
  const client = useQueryClient();
  const read = useQuery(webhooksQuery);
  const { data } = read;
  const teams = useWritable();
  const mayMake = teams?.length !== 0;
  const mayChange = ({ metadata }: Webhook) => teams === undefined || teams.includes(metadata.team);
  const again = () => client.invalidateQueries({ queryKey: WEBHOOKS });
  const [opened, setOpened] = useState<string>();
  const secret = useMutation({ mutationFn: renewSecret, onSettled: again });
  const test = useMutation({ mutationFn: testWebhook, onSuccess: (_, hook) => setOpened(named(hook)), onSettled: again });
  const remove = useMutation({ mutationFn: deleteWebhook, onSettled: again });
  const trouble = [secret, test, remove].find(({ isError }) => isError)?.error;
  const shown = data?.items.find((hook) => named(hook) === opened);
  return (
    <>
      <Section title="Webhooks" note="told when an alert begins and ends; signed as Standard Webhooks are" data={data?.items} read={read}>
        {(hooks) => (
          <>
            {mayMake && <NewWebhook onMade={() => void again()} />}
            {trouble !== undefined && (
              <p role="alert" className={styles.trouble}>
                {sentenceOf(trouble)}
              </p>
            )}
            <div role="status">
              {secret.isSuccess && (
                <div className={styles.form}>
                  <ShownOnce says={`The new signing secret of ${named(secret.variables)}; it is not shown again:`} secret={secret.data.secret} copy="Copy the secret" />
                </div>
              )}
            </div>
            {hooks.length === 0 ? (
              <EmptyState title="No team has a webhook.">
                <p>
                  Without one, alerts are seen in this console and on the event stream only.{" "}
                  {mayMake ? "The form above makes one." : "An editor of a team can make one."}
                </p>
              </EmptyState>
            ) : (
              <Table
                rows={hooks}
                rowKey={({ metadata }) => metadata.uid}
                columns={[
                  { title: "Webhook", cell: named },
                  { title: "Address", wide: true, cell: ({ spec }) => <span className="mono">{spec.url}</span> },
                  { title: "Told of", cell: ({ spec }) => `${(spec.severities ?? ["page", "ticket"]).join(", ")}${spec.slos?.length ? ` of ${spec.slos.join(", ")}` : ""}` },
                  { title: "Enabled", cell: ({ spec }) => (spec.enabled === false ? "no" : "yes") },
                  { title: "Secret made", cell: ({ status }) => (status.secretAt == null ? "never" : <Age of={status.secretAt} />) },
                  {
                    title: "Actions",
                    cell: (hook) => (
                      <span className={styles.actions}>
                        {mayChange(hook) && (
                          <>
                            <Button onClick={() => test.mutate(hook)} aria-label={`Test ${named(hook)}`}>
                              Test
                            </Button>
                            <SureButton label={`New secret for ${named(hook)}`} sure="Make it now" onSure={() => secret.mutate(hook)}>
                              New secret
                            </SureButton>
                          </>
                        )}
                        <Button onClick={() => setOpened(opened === named(hook) ? undefined : named(hook))} aria-pressed={opened === named(hook)} aria-label={`Messages to ${named(hook)}`}>
                          Messages
                        </Button>
                        {mayChange(hook) && (
                          <SureButton label={`Delete ${named(hook)}`} sure="Delete it now" onSure={() => remove.mutate(hook)}>
                            Delete
                          </SureButton>
                        )}
                      </span>
                    ),
                  },
                ]}
              />
            )}
          </>
        )}
      </Section>
      {shown !== undefined && (
        <Opened key={named(shown)}>
          <Deliveries hook={shown} onTest={mayChange(shown) ? () => test.mutate(shown) : undefined} />
        </Opened>
      )}
    </>
  );
}

function Deliveries({ hook, onTest }: { hook: Webhook; onTest: (() => void) | undefined }) {
  const read = useQuery(deliveriesQuery(hook.metadata.team, hook.metadata.name));
  const { data } = read;
  return (
    <Section title={`Messages to ${named(hook)}`} note="newest first; sent until they are taken, for a day" data={data?.items} read={read}>
      {(rows) =>
        rows.length === 0 ? (
          <EmptyState title="Nothing was sent to it yet.">
            {onTest === undefined ? <p>An editor of the team can send a test.</p> : <Button onClick={onTest}>Send a test</Button>}
          </EmptyState>
        ) : (
          <Table
            rows={rows}
            rowKey={({ id }) => id}
            columns={[
              { title: "Message", cell: ({ event }) => event },
              { title: "State", cell: ({ state }) => <Status {...LOOKS[state]} label="Message" /> },
              { title: "Made", cell: ({ createdAt }) => <Age of={createdAt} /> },
              { title: "Attempts", cell: ({ attempts }) => attempts },
              { title: "Answered", cell: ({ answered }) => answered ?? "—" },
              { title: "What went wrong", wide: true, cell: ({ error: said }) => said },
            ]}
          />
        )
      }
    </Section>
  );
}

function NewWebhook({ onMade }: { onMade: () => void }) {
  const { data } = useQuery(teamsQuery);
  const writable = useWritable();
  const teams = data?.items.filter(({ name }) => writable === undefined || writable.includes(name)) ?? [];
  const make = useMutation({
    mutationFn: ({ team, name, url, severities }: { team: string; name: string; url: string; severities: string[] }) => makeWebhook(team, name, url, severities),
    onSuccess: onMade,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const severities = form.get("severities") === "page" ? ["page"] : ["page", "ticket"];
    make.mutate({ team: String(form.get("team")), name: String(form.get("name")), url: String(form.get("url")), severities });
  };
  return (
    <form className={`${fieldRow} ${styles.form}`} onSubmit={submit}>
      <Field label="Team">
        <select name="team">
          {teams.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      </Field>
      <Field label="Name">
        <input name="name" required pattern="[a-z0-9]([a-z0-9\-]*[a-z0-9])?" maxLength={50} placeholder="on-call" />
      </Field>
      <Field label="Address">
        <input name="url" type="url" required maxLength={2000} placeholder="https://hooks.example.com/…" />
      </Field>
      <Field label="Told of">
        <select name="severities">
          <option value="both">pages and tickets</option>
          <option value="page">pages only</option>
        </select>
      </Field>
      <Button type="submit" disabled={make.isPending}>
        Make a webhook
      </Button>
      <div role="status">{make.isError && <p className={styles.trouble}>{sentenceOf(make.error)}</p>}</div>
    </form>
  );
}
