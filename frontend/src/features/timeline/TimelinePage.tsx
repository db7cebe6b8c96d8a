import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { teamsQuery, timelineQuery } from "../../api/queries";
import type { Range } from "../../lib/timeRange";
import { zoneOf } from "../../lib/timeRange";
import { Button } from "../../ui/Button";
import { Field, fieldRow } from "../../ui/Field";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { Page } from "../../ui/Page";
import { Segmented } from "../../ui/Segmented";
import { TimeControl, useTimeView } from "../../ui/TimeControl";
import { Lines } from "./Lines";
import styles from "./Timeline.module.css";
import { readTimelineFilter } from "./view";

const route = getRouteApi("/shell/timeline");
const TIMELINE_RANGE: Range = "24h";
const KINDS = ["Pool", "Endpoint", "Model", "SLO", "Cluster"] as const;
const WHAT = [
  { value: "all", label: "Everything" },
  { value: "change", label: "Changes" },
  { value: "event", label: "Events" },
  { value: "warning", label: "Warnings" },
] as const;

/** Who did what, and what happened then: one list over all kinds and teams. */
export function TimelinePage() {
  const filter = readTimelineFilter({ ...route.useSearch() });
  const navigate = route.useNavigate();
  const [view] = useTimeView();
  const zone = zoneOf(view);
  const { data: teams } = useQuery(teamsQuery);
  const read = useInfiniteQuery(
    timelineQuery(filter, view, TIMELINE_RANGE),
  );
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage } = read;
  const show = (change: Record<string, string | undefined>) =>
    void navigate({ search: readTimelineFilter({ ...filter, ...change }), replace: true });
  const lines = data?.pages.flatMap(({ items }) => items);
  const what = filter.type === "Warning" ? "warning" : (filter.source ?? "all");

  return (
    <Page title="Timeline" tools={<TimeControl fallback={TIMELINE_RANGE} />}>
      <div className={fieldRow}>
        <Segmented
          label="What"
          value={what}
          choices={WHAT}
          onChange={(chosen) =>
            show({
              source: chosen === "change" || chosen === "event" ? chosen : undefined,
              type: chosen === "warning" ? "Warning" : undefined,
            })
          }
        />
        <Field label="Team">
          <select value={filter.team ?? ""} onChange={({ target }) => show({ team: target.value })}>
            <option value="">All teams</option>
            {(teams?.items ?? []).map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
        <Field label="Kind">
          <select value={filter.kind ?? ""} onChange={({ target }) => show({ kind: target.value })}>
            <option value="">All kinds</option>
            {KINDS.map((kind) => (
              <option key={kind}>{kind}</option>
            ))}
          </select>
        </Field>
        <Field label="Name">
          <input type="search" value={filter.name ?? ""} placeholder="all names" onChange={({ target }) => show({ name: target.value })} />
        </Field>
      </div>
      <div className={styles.frame}>
        {lines === undefined && error !== null && (
          <ErrorPanel error={error} what="The timeline could not be loaded." onRetry={() => void refetch()} />
        )}
        {lines === undefined && error === null && <Skeleton height="24rem" label="Loading the timeline" />}
        {lines !== undefined && <NotRefreshed read={read} />}
        {lines !== undefined && lines.length === 0 && (
          <EmptyState title="Nothing happened in this stretch of time.">
            <p>Choose a longer one, or fewer filters.</p>
            <Button onClick={() => void navigate({ search: { range: "7d", tz: view.tz }, replace: true })}>Show everything of the last week</Button>
          </EmptyState>
        )}
        {lines !== undefined && <Lines lines={lines} zone={zone} />}
        {hasNextPage && (
          <div className={styles.more}>
            <Button onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
              Show older
            </Button>
          </div>
        )}
      </div>
    </Page>
  );
}
