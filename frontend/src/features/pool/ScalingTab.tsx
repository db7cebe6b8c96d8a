import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useCallback, useMemo, useState } from "react";
import { decisionsBetween, type Entry } from "../../api/decisions";
import { sentenceOf } from "../../api/problem";
import { panelQuery } from "../../api/queries";
import type { Panel } from "../../api/types";
import { zoneOf } from "../../lib/timeRange";
import { Button } from "../../ui/Button";
import { Icon } from "../../ui/Icon";
import { Opened } from "../../ui/Opened";
import { Section } from "../../ui/Section";
import { Segmented } from "../../ui/Segmented";
import { useTimeView } from "../../ui/TimeControl";
import { Whole } from "../decisions/DecisionRow";
import { Decisions } from "../decisions/Decisions";
import { marksOf, withDecisions } from "../decisions/onCharts";
import { Charts } from "./Charts";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";
import { POOL_RANGE } from "./view";

const route = getRouteApi("/shell/teams/$team/pools/$name/scaling");
const NONE: readonly Entry[] = [];
const ONLY = [
  { value: "all", label: "All" },
  { value: "moves", label: "Without holds" },
] as const;

/** Replicas, load and its forecast, with a mark where the autoscaler moved; a mark opens what the decision rests on. */
export function ScalingTab() {
  const { team, name } = usePool().metadata;
  const { decision } = route.useSearch();
  const [view] = useTimeView();
  const [only, setOnly] = useState<(typeof ONLY)[number]["value"]>("all");
  const moved = useQuery(decisionsBetween(team, name, view, POOL_RANGE, "moves"));
  const held = useQuery(decisionsBetween(team, name, view, POOL_RANGE, "hold"));
  const moves = moved.data?.items ?? NONE;
  const holds = held.data?.items ?? NONE;
  const failed = moved.error ?? held.error;
  const requests = useQuery(panelQuery(team, name, "requests", view, POOL_RANGE)).data;
  const dress = useCallback(<P extends Panel>(panel: P) => withDecisions(panel, [...moves, ...holds], requests), [moves, holds, requests]);
  const marks = useMemo(() => marksOf(moves), [moves]);
  return (
    <div className={styles.stack}>
      {failed !== null && (
        <p className={styles.trouble} role="alert">
          <Icon name="triangle" /> The charts lack what was decided (marks, forecast, load in replicas’ worth): {sentenceOf(failed)}{" "}
          <Button onClick={() => void Promise.all([moved.refetch(), held.refetch()])}>Try again</Button>
        </p>
      )}
      <Charts team={team} name={name} part="scaling" dress={dress} marks={marks} />
      {decision !== undefined && (
        <Opened key={decision}>
          <Section
            title={`Decision ${decision}`}
            note="why the number of replicas became what it is"
            tools={
              <Link to="." search={((before: object) => ({ ...before, decision: undefined })) as never} resetScroll={false} aria-label="Close the decision">
                <Icon name="close" />
              </Link>
            }
            data={decision}
          >
            {(id) => <Whole key={id} team={team} pool={name} id={id} heading="h3" />}
          </Section>
        </Opened>
      )}
      <Decisions
        filter={{ team, pool: name, ...(only === "moves" ? { verb: "moves" } : {}) }}
        zone={zoneOf(view)}
        tools={<Segmented label="Which decisions" value={only} choices={ONLY} onChange={setOnly} />}
      />
    </div>
  );
}
