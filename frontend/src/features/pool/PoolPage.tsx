import { useQuery } from "@tanstack/react-query";
import { getRouteApi, Link, Outlet, useRouterState } from "@tanstack/react-router";
import { POOL_TABS } from "../../app/places";
import { fleetRowQuery, poolQuery } from "../../api/queries";
import { ApiError } from "../../api/problem";
import { EmptyState, ErrorPanel, Skeleton } from "../../ui/Message";
import { NotRefreshed } from "../../ui/NotRefreshed";
import { useShownActive } from "../../ui/useShownActive";
import { useTitle } from "../../ui/useTitle";
import { PoolHeader } from "./PoolHeader";
import styles from "./Pool.module.css";

const route = getRouteApi("/shell/teams/$team/pools/$name");

/** What every part of a pool's pages shows above itself; the parts are routes below. */
export function PoolPage() {
  const { team, name } = route.useParams();
  const read = useQuery(poolQuery(team, name));
  const { data: pool, error, refetch } = read;
  // what breaches stands above the parts: shown a moment later it would push them down
  const { isPending } = useQuery(fleetRowQuery(team, name));
  useTitle(`${name} (${team})`);
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const tabs = useShownActive<HTMLElement>(`${pathname} ${pool === undefined || isPending}`);

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
    if (error !== null) return <ErrorPanel isPage error={error} what="The pool could not be loaded." onRetry={() => void refetch()} />;
    return <Skeleton height="32rem" label="Loading the pool" />;
  }
  if (isPending) return <Skeleton height="32rem" label="Loading the pool" />;
  return (
    <>
      <NotRefreshed read={read} />
      <PoolHeader pool={pool} />
      <nav aria-label="Parts of the pool" className={styles.tabs} ref={tabs}>
        <ul>
          {POOL_TABS.map(({ to, title }) => (
            <li key={to}>
              <Link to={to} params={{ team, name }} activeOptions={{ exact: true, includeSearch: false }}>
                {title}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <Outlet />
    </>
  );
}
