import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { simulate, simulationsKey } from "../../api/whatif";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { ErrorPanel } from "../../ui/Message";
import { START, wishOf, type Form } from "./view";
import styles from "./WhatIf.module.css";

interface Props {
  team: string;
  name: string;
  variants: string[];
  onAsked: (id: string) => void;
}

/** What to play, under which policies, on what promises. */
export function Ask({ team, name, variants, onAsked }: Props) {
  const [form, setForm] = useState<Form>(START);
  const client = useQueryClient();
  const ask = useMutation({
    mutationFn: () => simulate(team, name, wishOf(form)),
    onSuccess: async ({ id }) => {
      await client.invalidateQueries({ queryKey: simulationsKey(team, name) });
      onAsked(id);
    },
  });
  const set = (change: Partial<Form>) => setForm({ ...form, ...change });
  const text = (label: string, key: "label" | "ttft" | "tpot" | "fraction", hint: string) => (
    <Field label={label} hint={hint}>
      <input value={form[key]} maxLength={100} onChange={({ target }) => set({ [key]: target.value })} />
    </Field>
  );
  const submit = (event: FormEvent) => {
    event.preventDefault();
    ask.mutate();
  };
  const read = async (file: File | undefined) => {
    if (file !== undefined) set({ trace: await file.text(), label: form.label || file.name });
  };
  const isTrace = form.source !== "history";
  return (
    <form className={styles.form} onSubmit={submit}>
      <fieldset>
        <legend>Load</legend>
        <div className={styles.grid}>
          <Field label="Requests from">
            <select value={form.source} onChange={({ target }) => set({ source: target.value as Form["source"] })}>
              <option value="history">the pool’s own past</option>
              <option value="mooncake">a trace, Mooncake’s format</option>
              <option value="azure">a trace, Azure’s format</option>
            </select>
          </Field>
          {isTrace ? (
            <Field label="Trace" hint="at most 16 MiB">
              <input type="file" required onChange={({ target }) => void read(target.files?.[0])} />
            </Field>
          ) : (
            <Field label="Hours back" hint="1 to 24">
              <input type="number" min={1} max={24} value={form.hours} onChange={({ target }) => set({ hours: Number(target.value) })} />
            </Field>
          )}
          <Field label="Times as many requests" hint="0.01 to 100">
            <input type="number" min={0.01} max={100} step="any" value={form.scale} onChange={({ target }) => set({ scale: Number(target.value) })} />
          </Field>
          {text("Name of the simulation", "label", "to find it again")}
        </div>
      </fieldset>
      <fieldset>
        <legend>Policies</legend>
        <div className={styles.grid}>
          <label className={styles.check}>
            <input type="checkbox" checked={form.isLamplight} onChange={({ target }) => set({ isLamplight: target.checked })} /> Lamplight’s, as the pool declares it
          </label>
          <Field label="Fixed fleets of up to" hint="replicas; they draw the curve; 0: none">
            <input type="number" min={0} max={8} value={form.fixedUpTo} onChange={({ target }) => set({ fixedUpTo: Number(target.value) })} />
          </Field>
          <Field label="A plain autoscaler (HPA) on">
            <select value={form.hpa} onChange={({ target }) => set({ hpa: target.value as Form["hpa"] })}>
              <option value="">none</option>
              <option value="queue">queued requests</option>
              <option value="running">running requests</option>
              <option value="kv">KV cache in use</option>
            </select>
          </Field>
          {form.hpa !== "" && (
            <Field label="Its target" hint="per replica">
              <input type="number" min={0} step="any" value={form.hpaTarget} onChange={({ target }) => set({ hpaTarget: Number(target.value) })} />
            </Field>
          )}
        </div>
      </fieldset>
      <fieldset>
        <legend>Promise, start-up and price</legend>
        <div className={styles.grid}>
          {text("Time to first token within", "ttft", "such as 2s; empty: the pool’s SLO")}
          {text("Time per output token within", "tpot", "such as 60ms; empty: the pool’s SLO")}
          {text("For so many per cent", "fraction", "such as 95; empty: the pool’s SLO")}
          {variants.map((variant) => (
            <Field key={variant} label={`Start-up of ${variant}`} hint="such as 300s; empty: as measured">
              <input value={form.startup[variant] ?? ""} onChange={({ target }) => set({ startup: { ...form.startup, [variant]: target.value } })} />
            </Field>
          ))}
          {variants.map((variant) => (
            <Field key={variant} label={`Price of ${variant}`} hint="of an accelerator, such as 2.90 USD/h; empty: the listed one">
              <input value={form.price[variant] ?? ""} onChange={({ target }) => set({ price: { ...form.price, [variant]: target.value } })} />
            </Field>
          ))}
        </div>
      </fieldset>
      {ask.isError && <ErrorPanel error={ask.error} what="It cannot be simulated like this." />}
      <div>
        <Button look="primary" type="submit" disabled={ask.isPending || (!form.isLamplight && form.fixedUpTo === 0 && form.hpa === "")}>
          Simulate
        </Button>
      </div>
    </form>
  );
}
