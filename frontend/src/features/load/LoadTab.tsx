import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { isUnderWay, loadsQuery, type Load } from "../../api/loads";
import { sessionQuery } from "../../api/session";
import { zoneOf } from "../../lib/timeRange";
import { format, percent } from "../../lib/units";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/Message";
import { Opened } from "../../ui/Opened";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { usePool } from "../pool/usePool";
import { Compared } from "./Compared";
import { LoadForm } from "./LoadForm";
import { Shown } from "./Shown";
import { earlierThan, formOf, LOOKS, nameOf, START, type LoadView } from "./view";
import styles from "./Load.module.css";

const route = getRouteApi("/shell/teams/$team/pools/$name/load");

/** Sends requests to the pool as its users would, and shows what they would have seen; before and after a change. */
export function LoadTab() {
  const pool = usePool();
  const { team, name } = pool.metadata;
  const asked = route.useSearch();
  const navigate = route.useNavigate();
  const zone = zoneOf(useTimeView()[0]);
  const read = useQuery(loadsQuery(team, name));
  const { data } = read;
  const mayWrite = useMayWrite(team);
  const [begun, setBegun] = useState<string>();
  const loads = data?.items ?? [];
  const underWay = loads.find(isUnderWay);
  const shown = asked.load ?? underWay?.id ?? loads[0]?.id;
  const finished = loads.find(({ id, status, measured }) => id === shown && status !== "queued" && status !== "running" && measured !== null);
  const before = asked.beside ?? (finished === undefined ? undefined : earlierThan(finished, loads)?.id);
  const show = (view: LoadView) => void navigate({ search: (now) => ({ ...now, load: undefined, beside: undefined, ...view }), resetScroll: false });
  const begin = (load: string) => {
    setBegun(load);
    show({ load });
  };
  const hasAddress = typeof pool.status.endpoint === "string" && pool.status.endpoint !== "";
  return (
    <div className={styles.stack}>
      {shown !== undefined && (
        <Opened key={shown} takesFocus={shown === begun}>
          <Shown team={team} name={name} id={shown} zone={zone} mayStop={mayWrite} />
        </Opened>
      )}
      {finished !== undefined && before !== undefined && before !== shown && (
        <Compared
          team={team}
          name={name}
          before={before}
          after={finished.id}
          others={loads.filter(({ id, measured, status }) => id !== shown && measured !== null && status !== "running")}
          onChoose={(beside) => show({ load: finished.id, beside })}
        />
      )}
      {underWay === undefined && (
        <Section title="Send a load" note="to the pool’s own address, as its users would; it costs what users cost" data={data} read={read}>
          {() =>
            mayWrite && hasAddress ? (
              <LoadForm key={loads[0]?.id} team={team} name={name} start={loads[0] === undefined ? START : formOf({ ...loads[0], label: "" })} onBegun={begin} />
            ) : (
              <EmptyState title={mayWrite ? "The pool has no address yet: it appears when its service exists." : "Viewers may look at loads, but not send any: an admin of the team can make you an editor."} />
            )
          }
        </Section>
      )}
      {underWay !== undefined && underWay.id !== shown && (
        <p>
          A load is under way: <Button onClick={() => show({ load: underWay.id })}>Show {nameOf(underWay)}</Button>
        </p>
      )}
      <Section title="Loads" note="the newest 50 are kept" data={data} read={read}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState title="No load was sent to this pool yet.">
              <p>Send one above: left as it is, the form sends five chat requests a second for two minutes.</p>
            </EmptyState>
          ) : (
            <List loads={items} shown={shown} zone={zone} onShow={(load) => show({ load })} />
          )
        }
      </Section>
    </div>
  );
}

function List({ loads, shown, zone, onShow }: { loads: Load[]; shown: string | undefined; zone: ReturnType<typeof zoneOf>; onShow: (id: string) => void }) {
  return (
    <Table
      rows={loads}
      rowKey={({ id }) => id}
      columns={[
        { title: "Load", cell: nameOf },
        { title: "Status", cell: ({ status }) => <Status {...LOOKS[status]} label="Load" /> },
        { title: "Begun", cell: ({ createdAt }) => <Age of={createdAt} zone={zone} /> },
        { title: "Generation", cell: ({ generation }) => generation },
        { title: "What", wide: true, cell: ({ sentence }) => sentence },
        { title: "TTFT p95", cell: ({ measured }) => format(measured?.ttft?.p95, "s") },
        { title: "Succeeded", cell: ({ measured }) => (measured === null || measured.ok + measured.failed === 0 ? "—" : percent(measured.ok / (measured.ok + measured.failed))) },
        {
          title: "Show",
          cell: (load) => (
            <Button onClick={() => onShow(load.id)} disabled={load.id === shown} aria-label={`Show ${nameOf(load)}`}>
              Show
            </Button>
          ),
        },
      ]}
    />
  );
}

/** What the server would say too; said before a form is filled in. */
function useMayWrite(team: string): boolean {
  const { data: session } = useQuery(sessionQuery);
  if (session == null || session.user.superuser === true) return true;
  const role = session.teams?.find((one) => one.name === team)?.role;
  return role !== undefined && role !== "viewer";
}
