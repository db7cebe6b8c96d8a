import { Link, useRouterState } from "@tanstack/react-router";
import { PLACES } from "../../app/places";
import { useShownActive } from "../../ui/useShownActive";
import styles from "./Shell.module.css";

export function Menu() {
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const inFleet = /^\/teams\/[^/]+\/pools\//.test(pathname);
  const row = useShownActive<HTMLElement>(pathname);
  return (
    <nav aria-label="Main" className={styles.menu} ref={row}>
      <ul>
        {PLACES.map(({ to, title }) => (
          <li key={to}>
            <Link
              to={to}
              activeOptions={{ exact: to === "/", includeSearch: false }}
              // A pool's pages belong to the fleet.
              {...(to === "/" && inFleet ? { "data-status": "active" } : {})}
            >
              {title}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
