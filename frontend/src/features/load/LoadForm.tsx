import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { beginLoad, loadQuery, loadsKey } from "../../api/loads";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { ErrorPanel } from "../../ui/Message";
import { wishOf, type Form } from "./view";
import styles from "./Load.module.css";

interface Props {
  team: string;
  name: string;
  start: Form;
  onBegun: (id: string) => void;
}

const KINDS: Record<Form["shape"], string> = {
  chat: "8 system prompts of 1,024 tokens, each question of 128 is new",
  questions: "256 tokens, nothing is shared",
  documents: "32 texts of 4,096 tokens, asked about again and again",
};

/** What to send, for how long. Left as it is, it is a small load that any pool can take. */
export function LoadForm({ team, name, start, onBegun }: Props) {
  const [form, setForm] = useState(start);
  const client = useQueryClient();
  const begin = useMutation({
    mutationFn: () => beginLoad(team, name, wishOf(form)),
    onSuccess: async (load) => {
      client.setQueryData(loadQuery(team, name, load.id).queryKey, load);
      onBegun(load.id);
      await client.invalidateQueries({ queryKey: loadsKey(team, name) });
    },
  });
  const set = (change: Partial<Form>) => setForm({ ...form, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    begin.mutate();
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <div className={styles.grid}>
        <Field label="Requests come" hint={form.by === "rate" ? "they do not wait for answers" : "each waits for its answer"}>
          <select value={form.by} onChange={({ target }) => set({ by: target.value as Form["by"] })}>
            <option value="rate">at a rate</option>
            <option value="users">from users</option>
          </select>
        </Field>
        {form.by === "rate" ? (
          <>
            <Field label="Requests per second" hint="at most 50">
              <input type="number" required min={0.1} max={50} step="any" value={form.rate} onChange={({ target }) => set({ rate: Number(target.value) })} />
            </Field>
            <Field label="Course">
              <select value={form.pattern} onChange={({ target }) => set({ pattern: target.value as Form["pattern"] })}>
                <option value="steady">steady</option>
                <option value="ramp">a ramp up to it</option>
                <option value="burst">a burst in the middle</option>
              </select>
            </Field>
          </>
        ) : (
          <>
            <Field label="Users" hint="at most 100">
              <input type="number" required min={1} max={100} value={form.users} onChange={({ target }) => set({ users: Number(target.value) })} />
            </Field>
            <Field label="Pause after an answer" hint="such as 2s">
              <input value={form.pause} maxLength={10} onChange={({ target }) => set({ pause: target.value })} />
            </Field>
          </>
        )}
        <Field label="For how long" hint="5s to 30m">
          <input required value={form.duration} maxLength={10} onChange={({ target }) => set({ duration: target.value })} />
        </Field>
        <Field label="Of what kind" hint={KINDS[form.shape]}>
          <select value={form.shape} onChange={({ target }) => set({ shape: target.value as Form["shape"] })}>
            <option value="chat">chat</option>
            <option value="questions">questions</option>
            <option value="documents">documents</option>
          </select>
        </Field>
        <Field label="Prompt, tokens" hint="empty: the kind’s own">
          <input type="number" min={1} max={32768} value={form.promptTokens} onChange={({ target }) => set({ promptTokens: target.value })} />
        </Field>
        <Field label="Answer, tokens" hint="empty: the kind’s own">
          <input type="number" min={1} max={4096} value={form.outputTokens} onChange={({ target }) => set({ outputTokens: target.value })} />
        </Field>
        <Field label="What for" hint="stands in the timeline">
          <input value={form.label} maxLength={200} onChange={({ target }) => set({ label: target.value })} />
        </Field>
      </div>
      {begin.isError && <ErrorPanel error={begin.error} what="The load was not begun." />}
      <div>
        <Button look="primary" type="submit" disabled={begin.isPending}>
          Send the load
        </Button>
      </div>
    </form>
  );
}
