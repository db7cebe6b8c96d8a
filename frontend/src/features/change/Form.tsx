import { useQuery } from "@tanstack/react-query";
import { acceleratorsQuery, modelsQuery } from "../../api/queries";
import { Field } from "../../ui/Field";
import { Button } from "../../ui/Button";
import styles from "./Change.module.css";
import { read, valueAt, write } from "./draft";
import type { Edit, Json } from "./merge";

interface Props {
  text: string;
  onChange: (text: string) => void;
  /** By JSON pointer, what the server says about a place. */
  errorAt: (pointer: string) => string | undefined;
  /** Choices of a field by the schema. */
  choices: (path: readonly string[]) => string[];
}

type Path = (string | number)[];

/** The draft's most changed places as inputs. What it does not show stays in the text as it is. */
export function Form({ text, onChange, errorAt, choices }: Props) {
  const draft = read(text);
  const { data: models } = useQuery(modelsQuery);
  const { data: accelerators } = useQuery(acceleratorsQuery);
  if (draft === undefined) return <p className="muted">The text is not readable as YAML now; mend it there first.</p>;

  const get = (path: Path) => valueAt(draft, path);
  const set = (...edits: Edit[]) => onChange(write(text, edits));
  const pointer = (path: Path) => `/${path.join("/")}`;
  const string = (path: Path) => {
    const value = get(path);
    return typeof value === "string" || typeof value === "number" ? String(value) : "";
  };
  const input = (label: string, path: Path, props: { hint?: string; list?: string; number?: boolean } = {}) => (
    <Field label={label} hint={props.hint} error={errorAt(pointer(path))}>
      <input
        value={string(path)}
        list={props.list}
        inputMode={props.number ? "numeric" : undefined}
        onChange={({ target }) => set({ path, value: props.number && /^\d+$/.test(target.value) ? Number(target.value) : target.value })}
      />
    </Field>
  );
  const select = (label: string, path: Path, options: string[]) => (
    <Field label={label} error={errorAt(pointer(path))}>
      <select value={string(path)} onChange={({ target }) => set({ path, value: target.value })}>
        {!options.includes(string(path)) && <option value={string(path)}>{string(path) || "default"}</option>}
        {options.map((option) => (
          <option key={option}>{option}</option>
        ))}
      </select>
    </Field>
  );
  const variants = get(["spec", "variants"]);
  const rows = Array.isArray(variants) ? variants : [];
  const args = get(["spec", "engine", "args"]);

  return (
    <form className={styles.form} onSubmit={(event) => event.preventDefault()}>
      <datalist id="models">{models?.items.map(({ metadata }) => <option key={metadata.uid}>{metadata.name}</option>)}</datalist>
      <datalist id="accelerators">{accelerators?.items?.map(({ name }) => <option key={name}>{name}</option>)}</datalist>
      <fieldset>
        <legend>Model and engine</legend>
        <div className={styles.pair}>
          {input("Model", ["spec", "model"], { list: "models" })}
          {input("Engine image", ["spec", "engine", "image"])}
        </div>
        <Field label="Engine arguments" hint="one a line" error={errorAt("/spec/engine/args")}>
          <textarea
            rows={Math.max(4, Array.isArray(args) ? args.length + 1 : 3)}
            spellCheck={false}
            value={Array.isArray(args) ? args.map(String).join("\n") : ""}
            onChange={({ target }) => set({ path: ["spec", "engine", "args"], value: target.value === "" ? [] : target.value.split("\n") })}
          />
        </Field>
      </fieldset>
      {rows.map((_, at) => {
        const path = (...rest: Path): Path => ["spec", "variants", at, ...rest];
        const name = string(path("name"));
        return (
          // oxlint-disable-next-line react/no-array-index-key -- a variant's name changes while it is typed
          <fieldset key={at}>
            <legend>Variant {name}</legend>
            <div className={styles.grid}>
              {input("Name", path("name"))}
              {input("Accelerator", path("accelerator"), { list: "accelerators" })}
              {input("Tensor parallel", path("parallelism", "tensor"), { number: true })}
              {select("Role", path("role"), choices(["spec", "variants", "[]", "role"]))}
              {select("Capacity", path("capacityType"), choices(["spec", "variants", "[]", "capacityType"]))}
              {input("Replicas at least", path("replicas", "min"), { number: true })}
              {input("Replicas at most", path("replicas", "max"), { number: true })}
            </div>
            {rows.length > 1 && (
              <Button onClick={() => set({ path: ["spec", "variants"], value: rows.filter((_, other) => other !== at) })}>
                Remove variant {name}
              </Button>
            )}
          </fieldset>
        );
      })}
      <Button onClick={() => set({ path: ["spec", "variants"], value: [...rows, nextVariant(rows)] })}>Add a variant</Button>
      <fieldset>
        <legend>Autoscaling and rollout</legend>
        <div className={styles.grid}>
          {select("Autoscaling", ["spec", "autoscaling", "mode"], choices(["spec", "autoscaling", "mode"]))}
          {input("Surge at most", ["spec", "rollout", "maxSurge"], { number: true, hint: "replicas beside the present ones" })}
          {input("Unavailable at most", ["spec", "rollout", "maxUnavailable"], { number: true })}
          {input("Progress deadline", ["spec", "rollout", "progressDeadline"], { hint: "such as 30m" })}
        </div>
      </fieldset>
    </form>
  );
}

/** A copy of the last variant under a free name. */
export function nextVariant(rows: readonly Json[]): Json {
  const last = rows.at(-1);
  const taken = new Set(rows.map((row) => valueAt(row, ["name"])));
  let number = rows.length + 1;
  while (taken.has(`variant-${number}`)) number += 1;
  return { ...(typeof last === "object" && last !== null && !Array.isArray(last) ? last : {}), name: `variant-${number}` };
}
