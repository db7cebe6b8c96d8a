import { Link, useParams } from "@tanstack/react-router";
import styles from "./Shell.module.css";

export function Breadcrumbs() {
  const { team, name } = useParams({ strict: false });
  return (
    <nav aria-label="Breadcrumbs" className={styles.crumbs}>
      <ol>
        <li>
          {name === undefined ? (
            <span aria-current="page">Fleet</span>
          ) : (
            <Link to="/">Fleet</Link>
          )}
        </li>
        {team !== undefined && name !== undefined && (
          <>
            <li>
              <Link to="/" search={{ q: team }}>
                {team}
              </Link>
            </li>
            <li>
              <span aria-current="page">{name}</span>
            </li>
          </>
        )}
      </ol>
    </nav>
  );
}
