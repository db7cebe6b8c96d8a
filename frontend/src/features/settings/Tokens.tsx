import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { keys } from "../../api/keys";
import { sentenceOf } from "../../api/problem";
import { tokensQuery } from "../../api/queries";
import { deleteToken, makeToken } from "../../api/settings";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Command } from "../../ui/Command";
import { Field, fieldRow } from "../../ui/Field";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { SureButton } from "../../ui/SureButton";
import { Table } from "../../ui/Table";
import styles from "./Settings.module.css";
import { ShownOnce } from "./ShownOnce";

const LIFETIMES = [
  ["7d", "a week"],
  ["30d", "30 days"],
  ["365d", "a year"],
  ["", "until it is deleted"],
] as const;

export function Tokens() {
  const client = useQueryClient();
  const read = useQuery(tokensQuery);
  const { data } = read;
  const again = () => client.invalidateQueries({ queryKey: keys.tokens });
  const remove = useMutation({ mutationFn: deleteToken, onSettled: again });
  return (
    <Section title="Your API tokens" note="for lamp, CI and scripts; each has your rights" data={data?.items} read={read}>
      {(tokens) => (
        <>
          <NewToken onMade={() => void again()} />
          {remove.isError && (
            <p role="alert" className={styles.trouble}>
              {sentenceOf(remove.error)}
            </p>
          )}
          {tokens.length === 0 ? (
            <EmptyState title="You have no token.">
              <p>The form above makes one; with it, a terminal logs in:</p>
              <Command>{`lamp login --server ${location.origin}`}</Command>
            </EmptyState>
          ) : (
            <Table
              rows={tokens}
              rowKey={({ uid }) => uid}
              columns={[
                { title: "Name", cell: ({ name }) => name },
                { title: "Starts with", cell: ({ prefix }) => <code>{prefix}…</code> },
                { title: "Rights", cell: ({ readOnly }) => (readOnly ? "read-only" : "yours") },
                { title: "Made", cell: ({ createdAt }) => <Age of={createdAt} /> },
                { title: "Last used", cell: ({ lastUsedAt }) => (lastUsedAt === null ? "never" : <Age of={lastUsedAt} />) },
                { title: "Ends", cell: ({ expiresAt }) => (expiresAt === null ? "never" : new Date(expiresAt).toLocaleDateString("en-GB")) },
                {
                  title: "Action",
                  cell: ({ name, uid }) => (
                    <SureButton label={`Delete the token ${name}`} sure="Delete it now" onSure={() => remove.mutate(uid)}>
                      Delete
                    </SureButton>
                  ),
                },
              ]}
            />
          )}
        </>
      )}
    </Section>
  );
}

function NewToken({ onMade }: { onMade: () => void }) {
  const make = useMutation({ mutationFn: makeToken, onSuccess: onMade });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const lifetime = String(form.get("lifetime"));
    make.mutate({ name: String(form.get("name")), readOnly: form.get("readOnly") === "on", ...(lifetime === "" ? {} : { lifetime }) });
    event.currentTarget.reset();
  };
  return (
    <div className={styles.form}>
      <form className={fieldRow} onSubmit={submit}>
        <Field label="What it is for">
          <input name="name" required maxLength={200} placeholder="ci of team search" />
        </Field>
        <Field label="Good for">
          <select name="lifetime" defaultValue="30d">
            {LIFETIMES.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </Field>
        <label className={styles.check}>
          <input type="checkbox" name="readOnly" /> may only read
        </label>
        <Button type="submit" disabled={make.isPending}>
          Make a token
        </Button>
      </form>
      <div role="status">
        {make.isError && <p className={styles.trouble}>{sentenceOf(make.error)}</p>}
        {make.isSuccess && <ShownOnce says="Copy it now; it is not shown again:" secret={make.data.token ?? ""} copy="Copy the token" />}
      </div>
    </div>
  );
}
