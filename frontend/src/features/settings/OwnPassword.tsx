import { useMutation } from "@tanstack/react-query";
import type { FormEvent } from "react";
import { sentenceOf } from "../../api/problem";
import { changePassword } from "../../api/settings";
import { Button } from "../../ui/Button";
import { Field, fieldRow } from "../../ui/Field";
import { Section } from "../../ui/Section";
import styles from "./Settings.module.css";

const SHORTEST = 8;

/** One's own password; every other session of one's own ends with the old one. */
export function OwnPassword() {
  const change = useMutation({ mutationFn: ({ current, wanted }: { current: string; wanted: string }) => changePassword(current, wanted) });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const wish = new FormData(form);
    change.mutate({ current: String(wish.get("current")), wanted: String(wish.get("wanted")) }, { onSuccess: () => form.reset() });
  };
  return (
    <Section title="Your password" note="changing it logs you out everywhere else" data={true}>
      {() => (
        <form className={`${fieldRow} ${styles.form}`} onSubmit={submit}>
          <Field label="Present password">
            <input name="current" type="password" autoComplete="current-password" required maxLength={1000} />
          </Field>
          <Field label={`New password, at least ${SHORTEST} characters`}>
            <input name="wanted" type="password" autoComplete="new-password" required minLength={SHORTEST} maxLength={1000} />
          </Field>
          <Button type="submit" disabled={change.isPending}>
            Change it
          </Button>
          <div role="status">
            {change.isError && <p className={styles.trouble}>{sentenceOf(change.error)}</p>}
            {change.isSuccess && <p>Changed.</p>}
          </div>
        </form>
      )}
    </Section>
  );
}
