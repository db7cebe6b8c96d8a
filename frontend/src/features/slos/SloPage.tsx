import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { budgetQuery, calendarQuery, sloQuery, standingOf, type Objective } from "../../api/slos";
import type { TimedPanel } from "../../api/queries";
import { ChartCard } from "../../charts/ChartCard";
import { absolute, type Zone } from "../../lib/time";
import { zoneOf } from "../../lib/timeRange";
import { format, percent, UNKNOWN } from "../../lib/units";
import { Age } from "../../ui/Age";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Page } from "../../ui/Page";
import { Section } from "../../ui/Section";
import { SloStatus, Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { Alerts } from "./Alerts";
import { CalendarStrip } from "./CalendarStrip";
import { metricName } from "../fleet/slo";
import { SloTarget } from "./SloTarget";
import styles from "./Slo.module.css";

const route = getRouteApi("/shell/teams/$team/slos/$name");

/** What is promised, whether it is kept, how much room is left and how fast it goes. */
export function SloPage() {
  const { team, name } = route.useParams();
  const [view, show] = useTimeView();
  const zone = zoneOf(view);
  const read = useQuery(sloQuery(team, name));
  const { data: slo, error, refetch } = read;
  const calendar = useQuery(calendarQuery(team, name, view));
  const budgets = useQuery(budgetQuery(team, name, view));

  if (slo === undefined) {
    if (error !== null) return <ErrorPanel isPage error={error} what="The SLO could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="24rem" label="Loading the SLO" />;
  }
  const { objectives = [], state, evaluatedAt, measuredAt } = standingOf(slo);
  return (
    <Page title={name} tools={<SloStatus value={state ?? "NoData"} />}>
      <NotRefreshed read={read} />
      <p>
        Of {slo.spec.targetRef.kind === "Pool" && "pool "}
        <SloTarget slo={slo} />, measured at the {measuredAt ?? slo.spec.measuredAt}
        {evaluatedAt !== undefined && (
          <>
            , judged <Age of={evaluatedAt} zone={zone} /> ago
          </>
        )}
        .
      </p>
      {objectives.length === 0 && (
        <EmptyState title="No tick has judged this SLO yet.">
          <p>
            Whether the figures for it come in is said on the page of <SloTarget slo={slo} />.
          </p>
        </EmptyState>
      )}
      {objectives.map((objective) => (
        <section key={objective.key} className={styles.objective} aria-label={objective.promise}>
          <div className={styles.title}>
            <h2>{objective.promise}</h2>
            <SloStatus value={objective.state} />
          </div>
          <p>{objective.message}</p>
          <Figures objective={objective} zone={zone} />
          <CalendarStrip
            steps={calendar.data && (calendar.data.items.find(({ key }) => key === objective.key)?.steps ?? [])}
            read={calendar}
            zone={zone}
          />
          <div className={styles.two}>
            <ChartCard
              title="Error budget left"
              panel={budgetPanel(objective, budgets.data)}
              read={budgets}
              zone={zone}
              syncKey={`slo ${team}/${name}`}
              onZoom={({ from, to }) => show({ from, to, tz: view.tz })}
            />
            <Burns objective={objective} />
          </div>
        </section>
      ))}
      <Alerts filter={{ team, slo: name }} zone={zone} />
    </Page>
  );
}

function Figures({ objective, zone }: { objective: Objective; zone: Zone }) {
  const { attained, attainedHigh, budget, burnRate, events, bad, knownShare } = objective;
  const figures: [string, string][] = [
    ["Attained", attained === null ? UNKNOWN : attainedHigh !== null && attainedHigh !== attained ? `${percent(attained)} to ${percent(attainedHigh)}` : percent(attained)],
    ["Promised", percent(objective.fraction)],
    ["Budget left", budget?.left == null ? UNKNOWN : percent(budget.left)],
    ["Burn rate", format(burnRate, "×")],
    ["Used up", usedUp(budget, zone)],
    ["Outside the objective", bad === null || events === null ? UNKNOWN : `${format(bad, "requests")} of ${format(events, "requests")}`],
    ["Measured", knownShare === null ? UNKNOWN : `${percent(knownShare)} of the time`],
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

function usedUp(budget: Objective["budget"], zone: Zone): string {
  if (budget?.left == null) return UNKNOWN;
  if (budget.left <= 0) return "already";
  return budget.exhaustedAt === null ? "not at this rate" : absolute(Date.parse(budget.exhaustedAt), zone);
}

function budgetPanel(objective: Objective, data: { from: number; to: number; items: { key: string; history: [number, number | null][] }[] } | undefined): TimedPanel | undefined {
  if (data === undefined) return undefined;
  const history = data.items.find(({ key }) => key === objective.key)?.history ?? [];
  const known = history.some(([, left]) => left !== null);
  return {
    name: `budget ${objective.key}`,
    title: "Error budget left",
    unit: "1",
    kind: "line",
    state: known ? "ok" : "no_data",
    reason: known ? "" : "No part of this stretch was measured.",
    step: 60,
    lastSampleAt: null,
    series: [{ key: "budget", label: "left over the window that ended then", points: history }],
    thresholds: [],
    from: data.from,
    to: data.to,
  };
}

function Burns({ objective }: { objective: Objective }) {
  return (
    <Section title={`Burn rates, ${metricName(objective.metric)}`} note="×1 uses the budget up in exactly its window" data={objective.burn}>
      {(burns) => (
        <Table
          rows={burns}
          rowKey={({ window }) => window}
          columns={[
            { title: "Last", cell: ({ window }) => window },
            { title: "Burns", cell: ({ rate, state }) => (rate === null ? state.replace("_", " ") : format(rate, "×")) },
            { title: "Of", cell: ({ events }) => (events === null ? UNKNOWN : `${format(events, "requests")} ${objective.metric === "itl" ? "tokens" : "requests"}`) },
            {
              title: "Alerts",
              cell: ({ window }) =>
                objective.alerts
                  .filter(({ pair }) => pair.split("/").includes(window))
                  .map(({ pair, factor, firing, severity }) => (
                    <span key={pair} className={styles.alert}>
                      {firing === true ? (
                        <Status icon="triangle" tone="bad" word={`${severity} from ×${factor} `} label="Firing" />
                      ) : (
                        <span className="muted">
                          {severity} from ×{factor}{" "}
                        </span>
                      )}
                    </span>
                  )),
            },
          ]}
        />
      )}
    </Section>
  );
}
