import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link, useBlocker } from "@tanstack/react-router";
import { useState } from "react";
import { keys } from "../../api/keys";
import { checkPool, planPool } from "../../api/plans";
import { poolQuery, poolYamlQuery } from "../../api/queries";
import { useMayWrite } from "../../state/rights";
import { say } from "../../state/said";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { ErrorPanel, Skeleton } from "../../ui/Message";
import { Page } from "../../ui/Page";
import { useTitle } from "../../ui/useTitle";
import { ViewersMayNot } from "../../ui/ViewersMayNot";
import styles from "./Change.module.css";
import { Draft, useCheck, type View } from "./Draft";
import { read, write } from "./draft";
import { draftOf, keepDraft, type PoolDraft } from "./drafts";
import { merge, type Merge } from "./merge";
import { readyInWords } from "./planned";

const route = getRouteApi("/shell/teams/$team/pools/$name/edit");

/** Waits for the declaration, then edits it. */
export function EditPage() {
  const { team, name } = route.useParams();
  useTitle(`Change ${name} (${team})`);
  const pool = useQuery(poolQuery(team, name));
  const text = useQuery(poolYamlQuery(team, name));
  const mayWrite = useMayWrite(team);
  const error = pool.error ?? text.error;
  if (pool.data === undefined || text.data === undefined) {
    if (error !== null) return <ErrorPanel error={error} isPage what="The declaration could not be loaded." onRetry={() => void Promise.all([pool.refetch(), text.refetch()])} />;
    return <Skeleton height="32rem" label="Loading the declaration" />;
  }
  if (!mayWrite)
    return (
      <Page title={`Change ${name}`}>
        <ViewersMayNot what="change a pool" team={team} />
        <p>
          <Link to="/teams/$team/pools/$name/yaml" params={{ team, name }}>
            See what is declared
          </Link>
        </p>
      </Page>
    );
  const { version } = pool.data.metadata;
  return <Editor key={`${team}/${name}`} team={team} name={name} declared={text.data} version={version} />;
}

interface Props {
  team: string;
  name: string;
  declared: string;
  version: number;
}

function Editor({ team, name, declared, version }: Props) {
  const { view = "form", reason: said = "" } = route.useSearch();
  const navigate = route.useNavigate();
  const client = useQueryClient();
  const [draft, setDraft] = useState<PoolDraft>(() => draftOf(team, name) ?? { text: declared, base: declared, version });
  const [reason, setReason] = useState(said);
  const change = (next: PoolDraft) => {
    setDraft(next);
    keepDraft(team, name, next.text === next.base ? undefined : next);
  };
  const check = useCheck(draft.text, (text, signal) => checkPool(team, name, text, signal));
  const plan = useMutation({
    mutationFn: () => planPool(team, name, draft.text, reason),
    onSuccess: (made) => {
      if (made.id === null) return undefined;
      say(readyInWords(made));
      client.setQueryData([...keys.pool(team, name), "plan", String(made.id)], made);
      return navigate({ to: "/teams/$team/pools/$name/plans/$plan", params: { team, name, plan: String(made.id) } });
    },
  });
  const dirty = draft.text !== draft.base;
  // Closing the window loses the draft; moving about in the console does not.
  useBlocker({ shouldBlockFn: () => false, enableBeforeUnload: () => dirty });

  return (
    <>
      <header className={styles.head}>
        <h1>Change {name}</h1>
        <p className="muted">Nothing happens before you have seen the plan and applied it.</p>
      </header>
      {version !== draft.version && declared !== draft.base && (
        <Moved draft={draft} declared={declared} version={version} onChange={change} />
      )}
      <Draft
        text={draft.text}
        onChange={(text) => change({ ...draft, text })}
        view={view}
        onView={(next: View) => void navigate({ search: { view: next === "form" ? undefined : next }, replace: true })}
        kind="Pool"
        waiting={check.waiting}
        problems={check.problems}
      />
      <form
        className={styles.finish}
        onSubmit={(event) => {
          event.preventDefault();
          plan.mutate();
        }}
      >
        <Field label="Why" hint="kept with the revision and in the timeline">
          <input value={reason} maxLength={500} onChange={({ target }) => setReason(target.value)} />
        </Field>
        <Button look="primary" type="submit" disabled={!dirty || check.refused || plan.isPending}>
          {plan.isPending ? "Planning…" : "Show the plan"}
        </Button>
        {dirty && <Button onClick={() => change({ text: declared, base: declared, version })}>Discard the draft</Button>}
        <Link to="/teams/$team/pools/$name" params={{ team, name }}>
          Back to the pool
        </Link>
      </form>
      {plan.isError && <ErrorPanel error={plan.error} what="The plan could not be made." />}
    </>
  );
}

/** Somebody else changed the declaration under the draft: what, and how to go on. */
function Moved({ draft, declared, version, onChange }: { draft: PoolDraft; declared: string; version: number; onChange: (draft: PoolDraft) => void }) {
  const merged: Merge = merge(read(draft.base), read(draft.text), read(declared));
  const theirs: Merge = merge(read(draft.base), read(declared), read(draft.base));
  const places = theirs.edits.map(({ path }) => path.join("."));
  return (
    <section className={styles.moved} aria-label="Changed by somebody else" role="status">
      <h2>Somebody else changed this pool while you were at it.</h2>
      <p>
        They changed {places.length === 0 ? "nothing that is part of the declaration" : <code>{places.join(", ")}</code>}.
        {merged.conflicts.length > 0 && (
          <>
            {" "}
            You both changed <code>{merged.conflicts.map(({ path }) => path.join(".")).join(", ")}</code>: a merge keeps theirs there.
          </>
        )}
      </p>
      <div className={styles.finish}>
        <Button look="primary" onClick={() => onChange({ text: write(declared, merged.edits), base: declared, version })}>
          Merge my changes into theirs
        </Button>
        <Button onClick={() => onChange({ text: declared, base: declared, version })}>Take theirs, drop mine</Button>
      </div>
    </section>
  );
}
