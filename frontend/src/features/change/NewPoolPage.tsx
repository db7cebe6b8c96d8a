import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { applyBundle, planBundle } from "../../api/plans";
import { acceleratorsQuery, clustersQuery, modelsQuery } from "../../api/queries";
import { sessionQuery } from "../../api/session";
import type { Model } from "../../api/types";
import { bytes, compact, counted, money, UNKNOWN } from "../../lib/units";
import { useWritable } from "../../state/rights";
import { say } from "../../state/said";
import { Button } from "../../ui/Button";
import { Command } from "../../ui/Command";
import { Field } from "../../ui/Field";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { ViewersMayNot } from "../../ui/ViewersMayNot";
import styles from "./Change.module.css";
import { offers, type Offer } from "./fit";
import { newDocuments, type Wish } from "./newPool";
import { Suggest } from "./Suggest";
import { PlanView } from "./PlanView";
import { readyInWords } from "./planned";
import { YamlEditor } from "./YamlEditor";
import { useSchema } from "./useSchema";

const route = getRouteApi("/shell/new");

const STEPS = ["Model", "Hardware", "SLO and replicas", "Review"] as const;

const START: Wish = {
  team: "",
  name: "",
  model: "",
  cluster: "",
  namespace: "serving",
  accelerator: "",
  tensor: 1,
  context: 16_384,
  min: 1,
  max: 2,
  autoscaling: "active",
  ttft: "500ms",
  itl: "50ms",
  fraction: "95%",
  window: "28d",
  hasSlo: true,
};

/** From the catalogue to a plan in four steps; nothing happens before the last button. */
export function NewPoolPage() {
  const { step = 1, model: named } = route.useSearch();
  const navigate = route.useNavigate();
  const { data: session } = useQuery(sessionQuery);
  const mayWrite = useWritable()?.length !== 0;
  const { data: clusters } = useQuery(clustersQuery);
  const [wish, setWish] = useState<Wish>(START);
  const teams = session?.teams?.filter(({ role }) => role !== "viewer").map(({ name }) => name) ?? [];
  const full: Wish = {
    ...wish,
    team: wish.team || teams[0] || "default",
    model: wish.model || named || "",
    cluster: wish.cluster || clusters?.items[0]?.metadata.name || "",
  };
  const set = (change: Partial<Wish>) => setWish({ ...full, ...change });
  const go = (to: number) => void navigate({ search: { step: to === 1 ? undefined : to } });
  // Steps build on each other: an address into the middle of nothing starts at the first.
  const at = full.model === "" ? 1 : full.accelerator === "" ? Math.min(step, 2) : step;
  if (!mayWrite)
    return (
      <Page title="New pool">
        <ViewersMayNot what="make a pool" />
      </Page>
    );

  return (
    <Page title="New pool">
      <ol className={styles.steps} aria-label="Steps">
        {STEPS.map((title, index) => (
          <li key={title} aria-current={index + 1 === at ? "step" : undefined} data-done={index + 1 < at}>
            {index + 1 < at ? (
              <button type="button" onClick={() => go(index + 1)}>
                {index + 1}. {title}
              </button>
            ) : (
              <span>
                {index + 1}. {title}
              </span>
            )}
          </li>
        ))}
      </ol>
      {at === 1 && <Models wish={full} onChoose={(model) => (set({ model, name: wish.name || model }), go(2))} />}
      {at === 2 && (
        <>
          <Hardware wish={full} set={set} onChoose={({ accelerator, tensor }) => (set({ accelerator, tensor }), go(3))} />
          <Suggest
            wish={full}
            onTake={({ accelerator, tensor, replicas }, { ttft, tpot, fraction }) => {
              // the bounds leave the autoscaler room: one when it is quiet, one more than the busy hours need
              set({ accelerator, tensor, max: (replicas ?? 1) + 1, ttft: ttft || full.ttft, itl: tpot || full.itl, fraction });
              go(3);
            }}
          />
        </>
      )}
      {at === 3 && <Promise wish={full} set={set} teams={teams} clusters={clusters?.items.map(({ metadata }) => metadata.name) ?? []} onNext={() => go(4)} />}
      {at === 4 && <Review wish={full} />}
    </Page>
  );
}

function Models({ wish, onChoose }: { wish: Wish; onChoose: (model: string) => void }) {
  const read = useQuery(modelsQuery);
  const { data, error, refetch } = read;
  if (data === undefined) {
    if (error !== null) return <ErrorPanel error={error} what="The models could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="12rem" label="Loading the models" />;
  }
  if (data.items.length === 0)
    return (
      <EmptyState title="The catalogue is empty.">
        <p>Declare a model first, from the examples or your own file:</p>
        <Command>lamp apply -f examples/quickstart/model.yaml</Command>
      </EmptyState>
    );
  return (
    <>
      <NotRefreshed read={read} />
      <p className="muted">
        Which model shall it serve? Nothing exists before the last step. A model that is not here is <Link to="/models">declared first</Link>.
      </p>
      <ul className={styles.cards}>
        {data.items.map(({ metadata, spec }) => (
          <li key={metadata.uid}>
            <h2>{metadata.name}</h2>
            <p className="mono">{spec.source}</p>
            <p className="muted">
              {spec.shape?.parameters == null ? "size not declared" : `${counted(spec.shape.parameters)} parameters`}
              {spec.shape?.dtype != null && `, ${spec.shape.dtype}`}
            </p>
            <Button look={metadata.name === wish.model ? "primary" : "plain"} onClick={() => onChoose(metadata.name)}>
              Serve {metadata.name}
            </Button>
          </li>
        ))}
      </ul>
    </>
  );
}

interface StepProps {
  wish: Wish;
  set: (change: Partial<Wish>) => void;
}

function Hardware({ wish, set, onChoose }: StepProps & { onChoose: (offer: Offer) => void }) {
  const models = useQuery(modelsQuery);
  const accelerators = useQuery(acceleratorsQuery);
  const model: Model | undefined = models.data?.items.find(({ metadata }) => metadata.name === wish.model);
  const shape = model?.spec.shape;
  if (accelerators.data === undefined || models.data === undefined) {
    const error = accelerators.error ?? models.error;
    const again = () => {
      void accelerators.refetch();
      void models.refetch();
    };
    if (error !== null) return <ErrorPanel error={error} what="The catalogue could not be loaded." onRetry={again} />;
    return <Skeleton height="12rem" label="Loading the catalogue" />;
  }
  const rows = shape == null ? [] : offers(shape as Parameters<typeof offers>[0], accelerators.data.items ?? [], wish.context);
  return (
    <>
      <NotRefreshed read={models} />
      <div className={styles.narrow}>
        <Field label="Longest request" hint="tokens of prompt and answer together">
          <input type="number" min={256} step={1024} value={wish.context} onChange={({ target }) => set({ context: Number(target.value) || wish.context })} />
        </Field>
      </div>
      {shape == null ? (
        <EmptyState title={`The shape of ${wish.model} is not declared, so it cannot be said where it fits.`}>
          <Button onClick={() => onChoose({ accelerator: "nvidia-h200", tensor: 1 } as Offer)}>Go on with one nvidia-h200 a replica</Button>
        </EmptyState>
      ) : (
        <div className={styles.framed}>
          <Table
            rows={rows}
            rowKey={({ accelerator }) => accelerator}
            columns={[
              { title: "Accelerator", cell: ({ accelerator }) => accelerator },
              {
                title: "Fits",
                cell: ({ fit }) =>
                  fit.fits ? <Status icon="check" tone="ok" word="Fits" label="Fit" /> : <Status icon="triangle" tone="bad" word="Too small" label="Fit" />,
              },
              { title: "A replica", cell: ({ tensor }) => (tensor === 1 ? "1 accelerator" : `${tensor} accelerators`) },
              { title: "Weights each", cell: ({ fit }) => bytes(fit.weights) },
              { title: "KV cache", cell: ({ fit }) => (fit.tokens === null ? UNKNOWN : `${compact(fit.tokens)} tokens`) },
              { title: "Longest at once", cell: ({ fit }) => (fit.requests === null ? UNKNOWN : `${compact(fit.requests)} requests`) },
              { title: "Replica costs", cell: ({ costPerHour, currency }) => money(costPerHour, currency) },
              {
                title: "Action",
                cell: (offer) => (
                  <Button disabled={!offer.fit.fits} onClick={() => onChoose(offer)} aria-label={`Choose ${offer.accelerator}`}>
                    Choose
                  </Button>
                ),
              },
            ]}
          />
        </div>
      )}
    </>
  );
}

function Promise({ wish, set, teams, clusters, onNext }: StepProps & { teams: string[]; clusters: string[]; onNext: () => void }) {
  const input = (label: string, key: keyof Wish, hint?: string, pattern?: string) => (
    <Field label={label} hint={hint}>
      <input value={String(wish[key])} required pattern={pattern} onChange={({ target }) => set({ [key]: target.value })} />
    </Field>
  );
  const number = (label: string, key: "min" | "max") => (
    <Field label={label}>
      <input type="number" min={key === "min" ? 0 : 1} value={wish[key]} onChange={({ target }) => set({ [key]: Number(target.value) })} />
    </Field>
  );
  return (
    <form
      className={`${styles.draft} ${styles.form}`}
      onSubmit={(event) => {
        event.preventDefault();
        onNext();
      }}
    >
      <fieldset>
        <legend>Name, place and replicas</legend>
        <div className={styles.grid}>
          {input("Name", "name", "small letters, digits and dashes", "[a-z0-9]([a-z0-9\\-]*[a-z0-9])?")}
          <Field label="Team">
            <select value={wish.team} onChange={({ target }) => set({ team: target.value })}>
              {teams.map((team) => (
                <option key={team}>{team}</option>
              ))}
            </select>
          </Field>
          <Field label="Cluster">
            <select value={wish.cluster} onChange={({ target }) => set({ cluster: target.value })}>
              {clusters.map((cluster) => (
                <option key={cluster}>{cluster}</option>
              ))}
            </select>
          </Field>
          {input("Namespace", "namespace")}
          {number("Replicas at least", "min")}
          {number("Replicas at most", "max")}
          <Field label="Decided by">
            <select value={wish.autoscaling} onChange={({ target }) => set({ autoscaling: target.value as Wish["autoscaling"] })}>
              <option value="active">Lamplight</option>
              <option value="advisory">people, advised</option>
              <option value="off">people</option>
            </select>
          </Field>
        </div>
      </fieldset>
      <fieldset>
        <legend>What its users may expect</legend>
        <label className={styles.consent}>
          <input type="checkbox" checked={wish.hasSlo} onChange={({ target }) => set({ hasSlo: target.checked })} /> declare an SLO with it
        </label>
        {wish.hasSlo && (
          <div className={styles.grid}>
            {input("First token within", "ttft", "such as 500ms")}
            {input("Between tokens", "itl", "at most, such as 50ms")}
            {input("For", "fraction", "of them, such as 95%")}
            {input("Over", "window", "such as 28d")}
          </div>
        )}
      </fieldset>
      <Button look="primary" type="submit" disabled={wish.max < wish.min || wish.max < 1}>
        Review
      </Button>
    </form>
  );
}

function Review({ wish }: { wish: Wish }) {
  const [text, setText] = useState(() => newDocuments(wish));
  const [reason, setReason] = useState("");
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const components = useSchema();
  const plan = useQuery({
    queryKey: ["plan-bundle", wish.team, text],
    queryFn: () => planBundle(wish.team, text),
    retry: false,
    staleTime: 60_000,
    gcTime: 0,
  });
  const create = useMutation({
    mutationFn: () => applyBundle(wish.team, text, reason),
    onSuccess: async () => {
      say(`The pool ${wish.name} is declared.`);
      await client.invalidateQueries();
      await navigate({ to: "/teams/$team/pools/$name", params: { team: wish.team, name: wish.name } });
    },
  });
  const planned = plan.data?.items.find(({ kind }) => kind === "Pool");
  const ready = planned?.plan == null ? "" : readyInWords(planned.plan);
  useEffect(() => {
    if (ready !== "") say(ready);
  }, [ready]);
  return (
    <>
      <div className={styles.draft}>
        <YamlEditor value={text} onChange={setText} problems={[]} components={components} kind="Pool" label="Documents as YAML" />
      </div>
      {plan.isPending && <Skeleton height="8rem" label="Planning" />}
      {plan.isError && <ErrorPanel error={plan.error} what="This cannot be declared as it stands." onRetry={() => void plan.refetch()} />}
      {planned?.problem !== undefined && planned.problem !== null && <p className="bad">{planned.problem.detail}</p>}
      {planned?.plan != null && <PlanView plan={planned.plan} />}
      <form
        className={styles.decide}
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate();
        }}
      >
        <div className={styles.finish}>
          <Field label="Why" hint="kept with the revision and in the timeline">
            <input value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
          </Field>
          <Button look="primary" type="submit" disabled={!plan.isSuccess || create.isPending}>
            {create.isPending ? "Creating…" : "Create the pool"}
          </Button>
        </div>
        {create.isError && <ErrorPanel error={create.error} what="The pool was not created." />}
      </form>
    </>
  );
}
