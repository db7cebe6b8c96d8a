import { Link, useRouterState } from "@tanstack/react-router";
import { PLACES } from "../../app/places";
import { useShownActive } from "../../ui/useShownActive";
import styles from "./Shell.module.css";

export function Menu() {
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  // the pages of one object belong to the list of its kind, and so does a new one
  const above = pathname === "/new" ? "pools" : pathname.match(/^\/teams\/[^/]+\/(pools|slos|endpoints)\//)?.[1];
  const list = above === undefined ? undefined : { pools: "/", slos: "/slos", endpoints: "/models" }[above];
  const row = useShownActive<HTMLElement>(pathname);
  return (
    <nav aria-label="Main" className={styles.menu} ref={row}>
      <ul>
        {PLACES.map(({ to, title }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: to === "/", includeSearch: false }}
              {...(to === list ? { "data-status": "active" } : {})}
            >
              {title}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
