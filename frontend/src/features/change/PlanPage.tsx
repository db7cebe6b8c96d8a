import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState, type FormEvent } from "react";
import { keys } from "../../api/keys";
import { applyPlan, planPool, planQuery, type Plan } from "../../api/plans";
import { ApiError } from "../../api/problem";
import { zoneOf } from "../../lib/timeRange";
import { useMayWrite } from "../../state/rights";
import { say } from "../../state/said";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Status } from "../../ui/Status";
import { useTimeView } from "../../ui/TimeControl";
import { useTitle } from "../../ui/useTitle";
import { ViewersMayNot } from "../../ui/ViewersMayNot";
import styles from "./Change.module.css";
import { draftOf, keepDraft } from "./drafts";
import { PlanView } from "./PlanView";
import { readyInWords } from "./planned";

const route = getRouteApi("/shell/teams/$team/pools/$name/plans/$plan");

const STATES = {
  open: { icon: "half", tone: "info", word: "Not applied" },
  applied: { icon: "check", tone: "ok", word: "Applied" },
  superseded: { icon: "pause", tone: "none", word: "Superseded" },
} as const;

export function PlanPage() {
  const { team, name, plan: id } = route.useParams();
  useTitle(`Plan ${id} of ${name}`);
  const read = useQuery(planQuery(team, name, id));
  const { data, error, refetch } = read;
  const zone = zoneOf(useTimeView()[0]);
  const mayWrite = useMayWrite(team);
  if (data === undefined) {
    if (error !== null) return <ErrorPanel isPage error={error} what="The plan could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="24rem" label="Loading the plan" />;
  }
  return (
    <>
      <NotRefreshed read={read} />
      <header className={styles.head}>
        <h1>
          Plan {data.id} of {data.pool}
        </h1>
        <Status {...STATES[data.state]} label="State" />
        <p className="muted">
          made <Age of={data.createdAt} zone={zone} /> ago
          {data.base.generation !== null && `, on generation ${data.base.generation}`}
          {data.reason !== "" && `: “${data.reason}”`}
        </p>
      </header>
      <PlanView plan={data} />
      {data.state === "open" && !mayWrite && <ViewersMayNot what="apply a plan" team={team} />}
      {data.state === "open" && mayWrite ? (
        <Decide plan={data} />
      ) : (
        <p>
          <Link to="/teams/$team/pools/$name" params={{ team, name }}>
            {data.generation === null ? "Back to the pool" : `The pool, now at generation ${data.generation}`}
          </Link>
        </p>
      )}
    </>
  );
}

function Decide({ plan }: { plan: Plan }) {
  const { team, pool: name } = plan;
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const [consent, setConsent] = useState<string[]>([]);
  const draft = draftOf(team, name);
  const apply = useMutation({
    mutationFn: (reason: string) => applyPlan(plan, consent, reason),
    onSuccess: async ({ generation }) => {
      keepDraft(team, name, undefined);
      say(`Applied. ${name} is declared anew${generation === null ? "" : `, as generation ${generation}`}.`);
      await client.invalidateQueries({ queryKey: keys.pool(team, name) });
      await navigate({ to: "/teams/$team/pools/$name", params: { team, name } });
    },
  });
  const again = useMutation({
    mutationFn: () => planPool(team, name, draft?.text ?? "", plan.reason),
    onSuccess: (made) => {
      say(readyInWords(made));
      return navigate({ to: "/teams/$team/pools/$name/plans/$plan", params: { team, name, plan: String(made.id) }, replace: true });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    apply.mutate(String(new FormData(event.currentTarget).get("reason")));
  };
  const missing = plan.summary.consentNeeded.filter((one) => !consent.includes(one));
  const moved = apply.error instanceof ApiError && apply.error.status === 409;

  return (
    <form className={styles.decide} onSubmit={submit}>
      {plan.restsOn.length > 0 && (
        <p className="bad">This plan rests on {plan.restsOn.join(", ")}: apply the whole bundle with lamp apply -f instead.</p>
      )}
      {plan.summary.consentNeeded.map((what) => (
        <label key={what} className={styles.consent}>
          <input
            type="checkbox"
            checked={consent.includes(what)}
            onChange={({ target }) => setConsent(target.checked ? [...consent, what] : consent.filter((one) => one !== what))}
          />
          I agree to: {what} (objects are deleted and made anew)
        </label>
      ))}
      <div className={styles.finish}>
        <Field label="Why" hint="kept with the revision and in the timeline">
          <input name="reason" maxLength={500} defaultValue={plan.reason} />
        </Field>
        <Button look="primary" type="submit" disabled={plan.id === null || missing.length > 0 || plan.restsOn.length > 0 || apply.isPending}>
          {apply.isPending ? "Applying…" : "Apply this plan"}
        </Button>
        <Link to="/teams/$team/pools/$name/edit" params={{ team, name }}>
          Change the draft
        </Link>
        <Link to="/teams/$team/pools/$name" params={{ team, name }}>
          Leave it
        </Link>
      </div>
      {apply.isError && <ErrorPanel error={apply.error} what={moved ? "What the plan was made on has moved." : "The plan was not applied."} />}
      {moved && draft !== undefined && (
        <Button onClick={() => again.mutate()} disabled={again.isPending}>
          Make a new plan of the draft
        </Button>
      )}
      {again.isError && <ErrorPanel error={again.error} what="The plan could not be made." />}
    </form>
  );
}
