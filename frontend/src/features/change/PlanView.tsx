import type { Effect, Plan, PlanField, PlanObject } from "../../api/plans";
import { Icon } from "../../ui/Icon";
import { Status } from "../../ui/Status";
import styles from "./Change.module.css";

const EFFECTS: Record<Effect, string> = { inPlace: "in place", restart: "restarts pods", recreate: "made anew" };

const ACTIONS: Record<PlanObject["action"], { icon: "plus" | "change" | "minus" | "check" | "pause"; word: string }> = {
  created: { icon: "plus", word: "created" },
  changed: { icon: "change", word: "changed" },
  deleted: { icon: "minus", word: "deleted" },
  unchanged: { icon: "check", word: "unchanged" },
  skipped: { icon: "pause", word: "left alone" },
};

function lines(value: unknown): string[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
  return (typeof value === "string" ? value : JSON.stringify(value, null, 2)).split("\n");
}

interface Side {
  mark: "-" | "+" | " ";
  text: string;
}

/** Lines of both sides: of lists those that stay are shown once. */
export function sides({ before, after }: Pick<PlanField, "before" | "after">): Side[] {
  const [old, now] = [lines(before), lines(after)];
  if (!Array.isArray(before) || !Array.isArray(after)) {
    return [...old.map((text): Side => ({ mark: "-", text })), ...now.map((text): Side => ({ mark: "+", text }))];
  }
  const gone = old.filter((text) => !now.includes(text)).map((text): Side => ({ mark: "-", text }));
  return [...gone, ...now.map((text): Side => ({ mark: old.includes(text) ? " " : "+", text }))];
}

const SAID = { "-": "was", "+": "becomes", " ": "stays" } as const;

export function Fields({ fields }: { fields: readonly PlanField[] }) {
  return (
    <ul className={styles.fields}>
      {fields.map((field) => (
        <li key={field.path}>
          <code>{field.path}</code>
          {field.op !== "changed" && <span className="muted"> {field.op}</span>}
          {field.effect !== undefined && field.effect !== null && field.effect !== "inPlace" && (
            <span className={styles.effect}>
              <Icon name="triangle" size={12} /> {EFFECTS[field.effect]}
            </span>
          )}
          <pre className={styles.diff} tabIndex={0} aria-label={`${field.path} before and after`}>
            {sides(field).map(({ mark, text }) => (
              <span key={`${mark}${text}`} data-mark={mark}>
                <span className="visually-hidden">{SAID[mark]} </span>
                <span aria-hidden="true">{mark} </span>
                {text}
                {"\n"}
              </span>
            ))}
          </pre>
          {(field.writers ?? []).map(({ manager, at }) => (
            <p key={manager} className="muted">
              written by {manager}
              {at !== null && ` at ${new Date(at).toLocaleString("en-GB")}`}
            </p>
          ))}
        </li>
      ))}
    </ul>
  );
}

function Thing({ object }: { object: PlanObject }) {
  const { icon, word } = ACTIONS[object.action];
  const tone = object.action === "deleted" || object.effect === "recreate" ? "bad" : object.effect === "restart" ? "warn" : "info";
  return (
    <details className={styles.object} open={object.fields.length > 0 && object.fields.length <= 12}>
      <summary>
        <Status icon={icon} tone={tone} word={word} label="Action" />
        <span>
          {object.kind} <b>{object.name}</b>
        </span>
        {object.effect !== null && object.effect !== undefined && <span className="muted">{EFFECTS[object.effect]}</span>}
        {object.restarts !== null && object.restarts > 0 && (
          <span className={styles.effect}>
            <Icon name="triangle" size={12} /> {object.restarts} {object.restarts === 1 ? "replica restarts" : "replicas restart"}
          </span>
        )}
      </summary>
      {object.message !== null && <p>{object.message}</p>}
      {object.conflicts.map(({ manager, fields }) => (
        <p key={manager} className="bad">
          {manager} owns {fields.join(", ")}
        </p>
      ))}
      <Fields fields={object.fields} />
      {object.fieldsLeftOut > 0 && <p className="muted">{object.fieldsLeftOut} more fields are not shown.</p>}
      {object.manifest !== null && object.manifest !== undefined && (
        <pre className={styles.manifest} tabIndex={0} aria-label={`${object.kind} ${object.name}, in full`}>
          {JSON.stringify(object.manifest, null, 2)}
        </pre>
      )}
    </details>
  );
}

const signed = (value: number, text: string) => (value > 0 ? `+${text}` : text);

/** What will happen, worst first: warnings, restarts, hardware and money, then field by field. */
export function PlanView({ plan }: { plan: Plan }) {
  const moving = plan.objects.filter(({ action }) => action !== "unchanged");
  const still = plan.objects.length - moving.length;
  return (
    <div className={styles.plan}>
      <p className={styles.sentence}>{plan.summary.empty ? "Nothing would change." : plan.summary.sentence}</p>
      {plan.warnings.length > 0 && (
        <ul className={styles.warnings} aria-label="Warnings">
          {plan.warnings.map(({ reason, message }) => (
            <li key={`${reason} ${message}`}>
              <Icon name="triangle" />
              <span>
                <span className="visually-hidden">Warning: </span>
                <code>{reason}</code> {message}
              </span>
            </li>
          ))}
        </ul>
      )}
      <dl className={styles.figures}>
        <div>
          <dt>Restarts</dt>
          <dd>{plan.summary.replicasRestarted === 0 ? "none" : `${counted(plan.summary.replicasRestarted, "replica")}, ${counted(plan.summary.podsRestarted, "pod")}`}</dd>
        </div>
        {plan.accelerators.map(({ accelerator, before, after, delta }) => (
          <div key={accelerator}>
            <dt>{accelerator}</dt>
            <dd>{delta === 0 ? `${after}, as now` : `${before} → ${after} (${signed(delta, String(delta))})`}</dd>
          </div>
        ))}
        {plan.cost.map(({ currency, per, before, after, delta }) => (
          <div key={currency}>
            <dt>Cost</dt>
            <dd>
              {delta === 0
                ? `${after.toFixed(2)} ${currency}/${per}, as now`
                : `${before.toFixed(2)} → ${after.toFixed(2)} ${currency}/${per} (${signed(delta, delta.toFixed(2))})`}
            </dd>
          </div>
        ))}
        {plan.unpriced.length > 0 && (
          <div>
            <dt>Without a price</dt>
            <dd>{plan.unpriced.join(", ")}</dd>
          </div>
        )}
      </dl>
      {plan.spec.length > 0 && (
        <section aria-label="Declaration">
          <h2>Declaration</h2>
          <Fields fields={plan.spec} />
        </section>
      )}
      <section aria-label="Objects">
        <h2>
          Objects <span className="muted">{still > 0 ? `${still} stay as they are` : ""}</span>
        </h2>
        {moving.length === 0 && <p className="muted">No object changes.</p>}
        {moving.map((object) => (
          <Thing key={`${object.kind}/${object.name}`} object={object} />
        ))}
      </section>
    </div>
  );
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}
