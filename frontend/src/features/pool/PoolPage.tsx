import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { poolQuery } from "../../api/queries";
import { ApiError } from "../../api/problem";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { Segmented } from "../../ui/Segmented";
import { useTitle } from "../../ui/useTitle";
import { Charts } from "./Charts";
import { Conditions } from "./Conditions";
import { Events } from "./Events";
import { PoolHeader } from "./PoolHeader";
import { Replicas } from "./Replicas";
import { Spec } from "./Spec";
import styles from "./Pool.module.css";
import { DEFAULT_RANGE, RANGES, readPoolView, zoneOf, type PoolView, type Range } from "./view";

const route = getRouteApi("/shell/teams/$team/pools/$name");

const RANGE_CHOICES = (Object.keys(RANGES) as Range[]).map((value) => ({ value, label: value }));
const ZONE_CHOICES = [
  { value: "local", label: "Browser time" },
  { value: "utc", label: "UTC" },
] as const;
const TAB_CHOICES = [
  { value: "overview", label: "Overview" },
  { value: "yaml", label: "Spec as YAML" },
] as const;

export function PoolPage() {
  const { team, name } = route.useParams();
  const view = readPoolView({ ...route.useSearch() });
  const navigate = route.useNavigate();
  const { data: pool, error, refetch } = useQuery(poolQuery(team, name));
  useTitle(`${name} (${team})`);
  const show = (change: Partial<Record<keyof PoolView, string>>) =>
    void navigate({ search: readPoolView({ ...view, ...change }), replace: true });

  if (error instanceof ApiError && error.status === 404) {
    return (
      <EmptyState isPage title={`There is no pool ${name} in team ${team}.`}>
        <p>
          It was deleted, or it belongs to a team that you are not in. <Link to="/">Go to the fleet</Link>
        </p>
      </EmptyState>
    );
  }
  if (pool === undefined) {
    if (error !== null) return <ErrorPanel error={error} what="The pool could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="32rem" label="Loading the pool" />;
  }

  const zone = zoneOf(view);
  const range = view.range ?? DEFAULT_RANGE;
  return (
    <>
      <PoolHeader pool={pool} />
      <div className={styles.controls}>
        <Segmented label="View" value={view.tab ?? "overview"} choices={TAB_CHOICES} onChange={(tab) => show({ tab })} />
        {view.tab === undefined && (
          <div className={styles.time}>
            <Segmented label="Time range" value={range} choices={RANGE_CHOICES} onChange={(chosen) => show({ range: chosen })} />
            <Segmented label="Time zone" value={zone} choices={ZONE_CHOICES} onChange={(tz) => show({ tz })} />
          </div>
        )}
      </div>
      {view.tab === "yaml" ? (
        <Spec team={team} name={name} />
      ) : (
        <div className={styles.stack}>
          <Charts team={team} name={name} rangeSeconds={RANGES[range]} zone={zone} />
          <Replicas team={team} name={name} zone={zone} />
          <Conditions pool={pool} zone={zone} />
          <Events team={team} name={name} zone={zone} />
        </div>
      )}
    </>
  );
}
