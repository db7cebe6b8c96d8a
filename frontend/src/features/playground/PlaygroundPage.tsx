import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useRef, useState, type FormEvent, type KeyboardEvent } from "react";
import { fleetQuery } from "../../api/queries";
import { sentenceOf } from "../../api/problem";
import { compact, percent, seconds, UNKNOWN } from "../../lib/units";
import { useMayWrite } from "../../state/rights";
import { say } from "../../state/said";
import { Button } from "../../ui/Button";
import { Field } from "../../ui/Field";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Page } from "../../ui/Page";
import { ViewersMayNot } from "../../ui/ViewersMayNot";
import { answered, chat, EMPTY, speed, type Message, type Turn } from "./chat";
import { Why } from "./Why";
import styles from "./Playground.module.css";

const route = getRouteApi("/shell/playground");

interface Exchange {
  id: number;
  question: string;
  turn: Turn;
}

/** A chat with a pool, through its own gateway, with what it took. */
export function PlaygroundPage() {
  const { pool: chosen } = route.useSearch();
  const navigate = route.useNavigate();
  const read = useQuery(fleetQuery);
  const { data, error, refetch } = read;
  const pools = data?.items.map(({ team, name }) => `${team}/${name}`) ?? [];
  const pool = chosen !== undefined && pools.includes(chosen) ? chosen : pools[0];
  return (
    <Page title="Playground">
      <NotRefreshed read={read} />
      {data === undefined && error !== null && (
        <ErrorPanel error={error} what="The pools could not be loaded." onRetry={() => void refetch()} />
      )}
      {data === undefined && error === null && <Skeleton height="12rem" label="Loading the pools" />}
      {data !== undefined && pool === undefined && (
        <EmptyState title="There is no pool to talk to.">
          <Link to="/new">Make a pool</Link>
        </EmptyState>
      )}
      {pool !== undefined && (
        <>
          <div className={styles.choose}>
            <Field label="Pool">
              <select value={pool} onChange={({ target }) => void navigate({ search: { pool: target.value } })}>
                {pools.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </Field>
          </div>
          <Chat key={pool} pool={pool} />
        </>
      )}
    </Page>
  );
}

function Chat({ pool }: { pool: string }) {
  const [team = "", name = ""] = pool.split("/");
  const [exchanges, setExchanges] = useState<Exchange[]>([]);
  const [trouble, setTrouble] = useState("");
  const [running, setRunning] = useState<AbortController>();
  const form = useRef<HTMLFormElement>(null);
  const mayWrite = useMayWrite(team);

  const send = async (question: string, maxTokens: number, temperature: number, system: string) => {
    const id = (exchanges.at(-1)?.id ?? 0) + 1;
    const before: Message[] = exchanges.flatMap(({ question: asked, turn }): Message[] =>
      turn.text === "" ? [] : [{ role: "user", content: asked }, { role: "assistant", content: turn.text }],
    );
    const messages: Message[] = [...(system === "" ? [] : [{ role: "system" as const, content: system }]), ...before, { role: "user", content: question }];
    const stop = new AbortController();
    const show = (turn: Turn) => setExchanges((all) => all.map((one) => (one.id === id ? { ...one, turn } : one)));
    setTrouble("");
    setRunning(stop);
    setExchanges((all) => [...all, { id, question, turn: EMPTY }]);
    let last = EMPTY;
    try {
      await chat(team, name, { messages, maxTokens, temperature }, (turn) => show((last = turn)), stop.signal);
      if (last.problem === undefined) say(answered(last));
    } catch (error) {
      const stopped = stop.signal.aborted;
      if (stopped) say("The answer was stopped.");
      if (!stopped) setTrouble(sentenceOf(error));
      setExchanges((all) => all.flatMap((one) => (one.id !== id ? [one] : one.turn.text === "" ? [] : [{ ...one, turn: { ...one.turn, took: one.turn.times.at(-1) ?? 0, finish: stopped ? "stopped" : null } }])));
    } finally {
      setRunning(undefined);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const question = String(fields.get("question")).trim();
    if (question === "" || running !== undefined) return;
    void send(question, Number(fields.get("maxTokens")), Number(fields.get("temperature")), String(fields.get("system")).trim());
    const input = event.currentTarget.elements.namedItem("question");
    if (input instanceof HTMLTextAreaElement) input.value = "";
  };
  const press = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    form.current?.requestSubmit();
  };

  return (
    <div className={styles.chat}>
      <ol className={styles.exchanges} aria-label="Conversation">
        {exchanges.map(({ id, question, turn }) => (
          <li key={id}>
            <p className={styles.question}>
              <span className="visually-hidden">You: </span>
              {question}
            </p>
            <div className={styles.answer}>
              <span className="visually-hidden">The model: </span>
              {turn.text}
              {turn.took === undefined && <span className={styles.cursor} aria-hidden="true" />}
              {turn.problem !== undefined && (
                <p className="bad" role="alert">
                  {turn.problem}
                </p>
              )}
            </div>
            <Figures turn={turn} />
            {turn.route !== null && turn.took !== undefined && <Why team={team} name={name} id={turn.route} />}
          </li>
        ))}
      </ol>
      {trouble !== "" && (
        <p className="bad" role="alert">
          {trouble}
        </p>
      )}
      {mayWrite ? (
        <form ref={form} className={styles.form} onSubmit={submit}>
          <Field label="Message" hint="Enter sends, Shift-Enter starts a new line">
            <textarea name="question" rows={3} required onKeyDown={press} />
          </Field>
          <div className={styles.row}>
            <Field label="Tokens at most">
              <input name="maxTokens" type="number" min={1} max={4096} defaultValue={256} required />
            </Field>
            <Field label="Temperature">
              <input name="temperature" type="number" min={0} max={2} step={0.1} defaultValue={0.7} required />
            </Field>
            <Field label="System prompt">
              <input name="system" placeholder="none" />
            </Field>
            {running === undefined ? (
              <Button look="primary" type="submit">
                Send
              </Button>
            ) : (
              <Button onClick={() => running.abort()}>Stop</Button>
            )}
            {exchanges.length > 0 && running === undefined && <Button onClick={() => setExchanges([])}>Start anew</Button>}
          </div>
        </form>
      ) : (
        <ViewersMayNot what="send requests from here" team={team} />
      )}
    </div>
  );
}

const time = (value: number | null) => (value === null ? UNKNOWN : seconds(value));

function Figures({ turn }: { turn: Turn }) {
  const { ttft, itlMedian, itl95 } = speed(turn);
  const { promptTokens = null, completionTokens = null, cachedTokens = null, took, replica, finish } = turn;
  const cached =
    cachedTokens === null ? "not told" : `${compact(cachedTokens)}${promptTokens ? ` of ${compact(promptTokens)} (${percent(cachedTokens / promptTokens)})` : ""}`;
  const figures: [string, string][] = [
    ["TTFT", time(ttft)],
    ["Between tokens", itlMedian === null ? UNKNOWN : `${time(itlMedian)} median, ${time(itl95)} p95`],
    ["In all", took === undefined ? "…" : time(took)],
    ["Generated", completionTokens === null ? UNKNOWN : `${compact(completionTokens)} tokens`],
    ["From cache", took === undefined ? "…" : cached],
    ["Replica", replica ?? "not told"],
    ...(finish == null ? [] : [["Ended by", finish] as [string, string]]),
  ];
  return (
    <dl className={styles.figures}>
      {figures.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
