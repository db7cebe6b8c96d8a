import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, Outlet, useNavigate, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { safeNext, sessionQuery } from "../../api/session";
import { LiveProvider } from "../../live/LiveProvider";
import { Logo } from "../../ui/Logo";
import { Said } from "../../ui/Said";
import { useFocusKept } from "../../ui/useFocusKept";
import { PaletteKey } from "../palette/PaletteKey";
import { Breadcrumbs } from "./Breadcrumbs";
import { ConnectionBanner, ConnectionState } from "./Connection";
import { Menu } from "./Menu";
import { ThemeSwitch } from "./ThemeSwitch";
import { UserMenu } from "./UserMenu";
import styles from "./Shell.module.css";

/** Sends a person whose session ended to the login, and back to the same view afterwards. */
function useLoginWhenEnded(ended: boolean) {
  const navigate = useNavigate();
  const href = useRouterState({ select: ({ location }) => location.href });
  useEffect(() => {
    if (!ended || href.startsWith("/login")) return;
    const next = safeNext(href);
    void navigate({ to: "/login", search: next === "/" ? {} : { next } });
  }, [ended, href, navigate]);
}

/** After a move to another page the keyboard and the screen reader go on from its content, not from the old link. */
function useFocusOnMove() {
  const pathname = useRouterState({ select: ({ location }) => location.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [pathname]);
  return main;
}

export function Shell() {
  const { data: session } = useQuery(sessionQuery);
  const client = useQueryClient();
  useLoginWhenEnded(session === null);
  const main = useFocusOnMove();
  useFocusKept();
  if (session === null || session === undefined) return null;

  return (
    <LiveProvider>
      <a className={styles.skip} href="#main">
        Skip to content
      </a>
      <header className={styles.header}>
        <Link to="/" className={styles.brand}>
          <Logo alt="Lamplight" />
          <span aria-hidden="true">Lamplight</span>
        </Link>
        <Breadcrumbs />
        <div className={styles.tools}>
          <PaletteKey />
          <ConnectionState />
          <ThemeSwitch />
          <UserMenu username={session.user.username} onLoggedOut={() => client.clear()} />
        </div>
      </header>
      <ConnectionBanner />
      <Said />
      <div className={styles.below}>
        <Menu />
        <main id="main" ref={main} tabIndex={-1} className={styles.main}>
          <Outlet />
        </main>
      </div>
    </LiveProvider>
  );
}
