import { Link } from "@tanstack/react-router";
import { standingOf } from "../../api/slos";
import type { SLO } from "../../api/types";
import { format, percent, UNKNOWN } from "../../lib/units";
import { ReadyStatus, readySentence } from "../../ui/ReadyStatus";
import { SloStatus } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { SLO_ORDER } from "../fleet/slo";
import { SloTarget } from "./SloTarget";

/** What needs a person first, first. */
function byUrgency(slos: readonly SLO[]): SLO[] {
  const place = (slo: SLO) => (SLO_ORDER.indexOf(standingOf(slo).state ?? "NoData") + SLO_ORDER.length) % SLO_ORDER.length;
  return slos.toSorted((a, b) => place(a) - place(b) || a.metadata.name.localeCompare(b.metadata.name));
}

/** SLOs, each by its worst objective. */
export function SloTable({ slos }: { slos: readonly SLO[] }) {
  return (
    <Table
      rows={byUrgency(slos)}
      rowKey={({ metadata }) => metadata.uid}
      columns={[
        {
          title: "SLO",
          cell: ({ metadata }) => (
            <Link to="/teams/$team/slos/$name" params={{ team: metadata.team, name: metadata.name }}>
              {metadata.team}/{metadata.name}
            </Link>
          ),
        },
        {
          title: "State",
          cell: (slo) => {
            const { state } = standingOf(slo);
            return state === undefined ? <ReadyStatus conditions={slo.status.conditions} /> : <SloStatus value={state} />;
          },
        },
        {
          title: "Of",
          cell: (slo) => <SloTarget slo={slo} />,
        },
        { title: "Attained", cell: (slo) => format(standingOf(slo).summary?.attained, "1") },
        {
          title: "Budget left",
          cell: (slo) => {
            const left = standingOf(slo).summary?.budgetLeft;
            return left == null ? UNKNOWN : percent(left);
          },
        },
        { title: "Burns", cell: (slo) => format(standingOf(slo).summary?.burnRate, "×") },
        {
          title: "Says",
          wide: true,
          cell: (slo) => standingOf(slo).summary?.message ?? readySentence(slo.status.conditions),
        },
      ]}
    />
  );
}
