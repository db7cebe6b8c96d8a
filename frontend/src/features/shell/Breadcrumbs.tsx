import { Link, useParams, useRouterState } from "@tanstack/react-router";
import { PLACES, POOL_TABS } from "../../app/places";
import styles from "./Shell.module.css";

interface Crumb {
  title: string;
  to?: string;
  search?: Record<string, string>;
}

const KINDS: Record<string, Crumb> = {
  pools: { title: "Fleet", to: "/" },
  slos: { title: "SLOs", to: "/slos" },
  clusters: { title: "Clusters", to: "/clusters" },
  models: { title: "Models", to: "/models" },
  endpoints: { title: "Models", to: "/models" },
};

const LAST_PARTS: Record<string, string> = { edit: "Change", new: "New pool" };

/** From the path alone: /teams/default/pools/chat/cache is Fleet / default / chat / Cache. */
export function crumbs(pathname: string, params: { team?: string; name?: string }): Crumb[] {
  const parts = pathname.split("/").filter(Boolean);
  const last = parts.at(-1) ?? "";
  const { team, name } = params;
  if (team === undefined || name === undefined) {
    const place = PLACES.find(({ to }) => to !== "/" && pathname.startsWith(to));
    if (place !== undefined) return [{ title: place.title }];
    return last === "new" ? [{ title: "Fleet", to: "/" }, { title: "New pool" }] : [{ title: "Fleet" }];
  }
  const kind = KINDS[parts[2] ?? ""] ?? { title: "Fleet", to: "/" };
  const trail: Crumb[] = [kind, { title: team, ...(kind.to === "/" ? { to: "/", search: { q: team } } : {}) }];
  const tab = parts.length > 4 ? (POOL_TABS.find(({ to }) => to.endsWith(`/${last}`))?.title ?? LAST_PARTS[last] ?? (parts[4] === "plans" ? `Plan ${last}` : last)) : undefined;
  if (tab === undefined) return [...trail, { title: name }];
  return [...trail, { title: name, to: `/${parts.slice(0, 4).map(encodeURIComponent).join("/")}` }, { title: tab }];
}

export function Breadcrumbs() {
  const params = useParams({ strict: false });
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const trail = crumbs(pathname, params);
  return (
    <nav aria-label="Breadcrumbs" className={styles.crumbs}>
      <ol>
        {trail.map(({ title, to, search }, at) => (
          <li key={`${to ?? ""} ${title}`}>
            {at === trail.length - 1 || to === undefined ? (
              <span aria-current={at === trail.length - 1 ? "page" : undefined}>{title}</span>
            ) : (
              <Link to={to} search={search as never}>
                {title}
              </Link>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}
