import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { fleetQuery, poolQuery } from "../../api/queries";
import { simulationsQuery, type Simulation } from "../../api/whatif";
import type { Zone } from "../../lib/time";
import { zoneOf } from "../../lib/timeRange";
import { useMayWrite } from "../../state/rights";
import { say } from "../../state/said";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Command } from "../../ui/Command";
import { Field } from "../../ui/Field";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Opened } from "../../ui/Opened";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import type { IconName } from "../../ui/Icon";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { ViewersMayNot } from "../../ui/ViewersMayNot";
import { Ask } from "./Ask";
import { Compared } from "./Result";
import { ended, nameOf, readWhatIf, type WhatIfView } from "./view";
import styles from "./WhatIf.module.css";

const route = getRouteApi("/shell/whatif");

const LOOKS: Record<Simulation["status"], { icon: IconName; tone: Tone; word: string }> = {
  queued: { icon: "hollow", tone: "none", word: "Queued" },
  running: { icon: "half", tone: "info", word: "Running" },
  done: { icon: "check", tone: "ok", word: "Done" },
  failed: { icon: "triangle", tone: "bad", word: "Failed" },
};

/** Plays a pool's past, or a trace, under other policies, prices and start-up times; two results side by side. */
export function WhatIfPage() {
  const view = readWhatIf({ ...route.useSearch() });
  const navigate = route.useNavigate();
  const read = useQuery(fleetQuery);
  const { data, error, refetch } = read;
  const pools = data?.items.map(({ team, name }) => `${team}/${name}`) ?? [];
  const chosen = view.pool ?? pools[0];
  const show = (change: WhatIfView) => void navigate({ search: { pool: chosen, a: view.a, b: view.b, ...change } });
  return (
    <Page title="What if">
      <NotRefreshed read={read} />
      {data === undefined && error !== null && <ErrorPanel error={error} what="The pools could not be loaded." onRetry={() => void refetch()} />}
      {data === undefined && error === null && <Skeleton height="12rem" label="Loading the pools" />}
      {data !== undefined && chosen === undefined && (
        <EmptyState title="There is no pool whose past could be played.">
          <Link to="/new">Make a pool</Link>
        </EmptyState>
      )}
      {chosen !== undefined && data !== undefined && (
        <>
          <div className={styles.choose}>
            <Field label="Pool">
              <select value={chosen} onChange={({ target }) => show({ pool: target.value, a: undefined, b: undefined })}>
                {pools.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </select>
            </Field>
          </div>
          <Of key={chosen} pool={chosen} view={view} show={show} />
        </>
      )}
    </Page>
  );
}

/** Says when a simulation ends while somebody waits for it. */
function useEndsTold(now: Simulation[] | undefined, zone: Zone): void {
  const before = useRef(now);
  useEffect(() => {
    for (const line of ended(before.current ?? [], now ?? [], zone)) say(line);
    before.current = now;
  }, [now, zone]);
}

function Of({ pool, view, show }: { pool: string; view: WhatIfView; show: (change: WhatIfView) => void }) {
  const [team = "", name = ""] = pool.split("/");
  const declared = useQuery(poolQuery(team, name));
  const mayWrite = useMayWrite(team);
  const read = useQuery(simulationsQuery(team, name));
  const { data } = read;
  const zone = zoneOf(useTimeView()[0]);
  useEndsTold(data?.items, zone);
  return (
    <>
      <Section title="Ask" note="nothing is changed; an hour takes seconds" data={declared.data} read={declared}>
        {({ spec }) =>
          mayWrite ? (
            <Ask team={team} name={name} variants={spec.variants.map((one) => one.name)} onAsked={(id) => show({ a: id, b: view.a })} />
          ) : (
            <ViewersMayNot what="start a simulation" team={team} />
          )
        }
      </Section>
      {view.a !== undefined && (
        <Opened key={`${view.a} ${view.b ?? ""}`}>
          <Compared team={team} name={name} ids={[view.a, ...(view.b === undefined ? [] : [view.b])]} zone={zone} />
        </Opened>
      )}
      <Section title="Simulations" note="the newest 50 are kept" data={data?.items} read={read}>
        {(rows) =>
          rows.length === 0 ? (
            <EmptyState title="Nothing was simulated for this pool yet.">
              {mayWrite && (
                <>
                  <p>Left as it is, the form above plays the last hour under the pool’s own policy and under fixed fleets. From a terminal:</p>
                  <Command>{`lamp simulate pool/${name} --team ${team}`}</Command>
                </>
              )}
            </EmptyState>
          ) : (
            <Table
              rows={rows}
              rowKey={({ id }) => id}
              columns={[
                { title: "Simulation", cell: (one) => nameOf(one, zone) },
                { title: "Status", cell: ({ status }) => <Status {...LOOKS[status]} label="Simulation" /> },
                { title: "Asked", cell: ({ createdAt }) => <Age of={createdAt} zone={zone} /> },
                { title: "Says", wide: true, cell: ({ message }) => message },
                {
                  title: "Show",
                  cell: ({ id, ...one }) => (
                    <>
                      <Button onClick={() => show({ a: id, b: undefined })} aria-label={`Show ${nameOf(one, zone)}`}>
                        Show
                      </Button>{" "}
                      <Button disabled={view.a === undefined || view.a === id} onClick={() => show({ b: id })} aria-label={`Beside the other: ${nameOf(one, zone)}`}>
                        Beside
                      </Button>
                    </>
                  ),
                },
              ]}
            />
          )
        }
      </Section>
    </>
  );
}
