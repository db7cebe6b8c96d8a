/** The map of the console. The address is the whole view state: sort, filter, range and tab live in its query. */

import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
  type RouterHistory,
} from "@tanstack/react-router";
import { safeNext, sessionQuery } from "../api/session";
import { readFleetView } from "../features/fleet/view";
import { readPoolView } from "../features/pool/view";
import { LoginPage } from "../features/login/LoginPage";
import { Shell } from "../features/shell/Shell";
import { CrashPage, NotFoundPage } from "./fallbacks";

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  notFoundComponent: NotFoundPage,
});

const login = createRoute({
  getParentRoute: () => root,
  path: "/login",
  validateSearch: (search: Record<string, unknown>): { next?: string } => {
    const next = safeNext(search.next);
    return next === "/" ? {} : { next };
  },
  component: LoginPage,
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ context, location }) => {
    const session = await context.client.ensureQueryData(sessionQuery);
    if (session === null) {
      const next = safeNext(location.href);
      throw redirect({ to: "/login", search: next === "/" ? {} : { next } });
    }
  },
  component: Shell,
});

const fleet = createRoute({
  getParentRoute: () => shell,
  path: "/",
  validateSearch: readFleetView,
  component: lazyRouteComponent(() => import("../features/fleet/FleetPage"), "FleetPage"),
});

const pool = createRoute({
  getParentRoute: () => shell,
  path: "/teams/$team/pools/$name",
  validateSearch: readPoolView,
  component: lazyRouteComponent(() => import("../features/pool/PoolPage"), "PoolPage"),
});

export function makeRouter(client: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree: root.addChildren([login, shell.addChildren([fleet, pool])]),
    context: { client },
    history,
    // Only what a page's own reader lets through; else raw words of the address reach the page beside it.
    search: { strict: true },
    defaultPreload: "intent",
    defaultErrorComponent: CrashPage,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
