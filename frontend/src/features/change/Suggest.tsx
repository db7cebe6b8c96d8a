import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link } from "@tanstack/react-router";
import { suggestionsQuery, type LoadAndPromise, type Suggestion } from "../../api/suggestions";
import { percent, UNKNOWN } from "../../lib/units";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import styles from "./Change.module.css";
import type { Wish } from "./newPool";

const ORIGINS: Record<Suggestion["origin"], string> = { measured: "measured", tables: "kernel tables", scaled: "scaled" };

interface Props {
  wish: Wish;
  onTake: (suggestion: Suggestion, asked: LoadAndPromise) => void;
}

/** What the promise would take on each accelerator, asked for before anything is declared. */
export function Suggest({ wish, onTake }: Props) {
  const [draft, setDraft] = useState<LoadAndPromise>({
    requestsPerSecond: "10",
    promptTokens: "1000",
    outputTokens: "200",
    ttft: wish.ttft,
    tpot: wish.itl,
    fraction: wish.fraction,
    maxModelLen: String(wish.context),
  });
  const [asked, setAsked] = useState<LoadAndPromise>();
  const read = useQuery({ ...suggestionsQuery(wish.team, wish.model, asked ?? draft), enabled: asked !== undefined });
  const { data } = read;
  const input = (label: string, key: keyof LoadAndPromise, hint?: string) => (
    <Field label={label} hint={hint}>
      <input value={draft[key]} onChange={({ target }) => setDraft({ ...draft, [key]: target.value })} />
    </Field>
  );
  return (
    <>
      <form
        className={`${styles.draft} ${styles.form}`}
        aria-label="Suggest hardware for an SLO"
        onSubmit={(event) => {
          event.preventDefault();
          setAsked({ ...draft, maxModelLen: String(wish.context) });
        }}
      >
        <fieldset>
          <legend>What would keep an SLO</legend>
          <div className={styles.grid}>
            {input("Requests a second", "requestsPerSecond", "in the busy hours")}
            {input("Prompt tokens", "promptTokens", "mean of a request")}
            {input("Answer tokens", "outputTokens", "mean of a request")}
            {input("First token within", "ttft", "such as 500ms")}
            {input("Per output token", "tpot", "such as 50ms; empty: any")}
            {input("For", "fraction", "of requests, such as 95%")}
          </div>
        </fieldset>
        <Button type="submit">Suggest</Button>
      </form>
      {asked !== undefined && (
        <Section title="Suggestions" note="from step times of the catalogue; nothing is measured yet" data={data?.items} read={read}>
          {(rows) =>
            rows.length === 0 ? (
              <EmptyState title="This model fits on no accelerator that step times are known of.">
                <Link to="/new">Choose another model</Link>
              </EmptyState>
            ) : (
              <Table
                rows={rows}
                rowKey={({ accelerator }) => accelerator}
                columns={[
                  { title: "Accelerator", cell: ({ accelerator }) => accelerator },
                  {
                    title: "Promise",
                    cell: ({ verdict }) =>
                      verdict === "keeps" ? <Status icon="check" tone="ok" word="Kept" label="Promise" /> : <Status icon="triangle" tone="bad" word="Never kept" label="Promise" />,
                  },
                  { title: "Replicas", cell: ({ replicas, tensor }) => (replicas === null ? UNKNOWN : `${replicas} of ${tensor} accel.`) },
                  { title: "Each carries", cell: ({ requestsPerReplica: carries }) => (carries === null ? UNKNOWN : `${Number(carries.toPrecision(3))} req/s`) },
                  { title: "Within it", cell: ({ attained }) => percent(attained) },
                  { title: "Cost", cell: ({ cost }) => cost ?? "not listed" },
                  { title: "Rests on", wide: true, cell: ({ origin, basis }) => `${ORIGINS[origin]}: ${basis}` },
                  {
                    title: "Action",
                    cell: (one) => (
                      <Button disabled={one.verdict !== "keeps"} onClick={() => onTake(one, asked)} aria-label={`Take ${one.replicas ?? 0} × ${one.accelerator}`}>
                        Take
                      </Button>
                    ),
                  },
                ]}
              />
            )
          }
        </Section>
      )}
    </>
  );
}
