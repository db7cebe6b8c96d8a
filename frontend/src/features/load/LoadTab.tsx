import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import { isUnderWay, loadsQuery, type Load } from "../../api/loads";
import { zoneOf } from "../../lib/timeRange";
import { format, percent } from "../../lib/units";
import { useMayWrite } from "../../state/rights";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { Command } from "../../ui/Command";
import { EmptyState } from "../../ui/Message";
import { Opened } from "../../ui/Opened";
import type { Read } from "../../ui/read";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { ViewersMayNot } from "../../ui/ViewersMayNot";
import { usePool } from "../pool/usePool";
import { Compared } from "./Compared";
import { LoadForm } from "./LoadForm";
import { Shown } from "./Shown";
import { earlierThan, formOf, LOOKS, nameOf, START, type LoadView } from "./view";
import styles from "./Load.module.css";

const route = getRouteApi("/shell/teams/$team/pools/$name/load");

/** Sends requests to the pool as its users would, and shows what they would have seen; before and after a change. */
export function LoadTab() {
  const { team, name } = usePool().metadata;
  const read = useQuery(loadsQuery(team, name));
  if (read.data !== undefined) return <Loads team={team} name={name} loads={read.data.items} read={read} />;
  // which load stands above the others is not known yet: what would come in above them would push them down
  return (
    <Section title="Loads" data={undefined} read={read}>
      {() => null}
    </Section>
  );
}

function Loads({ team, name, loads, read }: { team: string; name: string; loads: Load[]; read: Read }) {
  const pool = usePool();
  const asked = route.useSearch();
  const navigate = route.useNavigate();
  const zone = zoneOf(useTimeView()[0]);
  const mayWrite = useMayWrite(team);
  const [begun, setBegun] = useState<string>();
  const underWay = loads.find(isUnderWay);
  const shown = asked.load ?? underWay?.id ?? loads[0]?.id;
  const listed = loads.find(({ id }) => id === shown);
  const finished = listed !== undefined && !isUnderWay(listed) && listed.measured !== null ? listed : undefined;
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
          <Shown team={team} name={name} id={shown} listed={listed} zone={zone} mayStop={mayWrite} />
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
        <Section title="Send a load" note="to the pool’s own address, as its users would; it costs what users cost" data={loads}>
          {([newest]) =>
            !mayWrite ? (
              <ViewersMayNot what="send any load" team={team} />
            ) : hasAddress ? (
              <LoadForm key={newest?.id} team={team} name={name} start={newest === undefined ? START : formOf({ ...newest, label: "" })} onBegun={begin} />
            ) : (
              <NoAddress team={team} name={name} />
            )
          }
        </Section>
      )}
      {underWay !== undefined && underWay.id !== shown && (
        <p>
          A load is under way: <Button onClick={() => show({ load: underWay.id })}>Show {nameOf(underWay)}</Button>
        </p>
      )}
      <Section title="Loads" note="the newest 50 are kept" data={loads} read={read}>
        {(items) =>
          items.length === 0 ? (
            <EmptyState title="No load was sent to this pool yet.">
              {mayWrite && (
                <>
                  <p>Left as it is, the form above sends five chat requests a second for two minutes. The same from a terminal:</p>
                  <Command>{`lamp load pool/${name} --team ${team}`}</Command>
                </>
              )}
            </EmptyState>
          ) : (
            <List loads={items} shown={shown} zone={zone} onShow={(load) => show({ load })} />
          )
        }
      </Section>
    </div>
  );
}

function NoAddress({ team, name }: { team: string; name: string }) {
  return (
    <EmptyState title="The pool has no address yet: it appears when its service exists.">
      <Link to="/teams/$team/pools/$name/objects" params={{ team, name }}>
        See its objects
      </Link>
    </EmptyState>
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
        { title: "Failed", cell: ({ measured }) => (measured === null || measured.ok + measured.failed === 0 ? "—" : percent(measured.failed / (measured.ok + measured.failed))) },
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
