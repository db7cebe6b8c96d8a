/** The map of the console. The address is the whole view state: sort, filter, range and tab live in it. */

import type { QueryClient } from "@tanstack/react-query";
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
  retainSearchParams,
  type RouterHistory,
} from "@tanstack/react-router";
import { safeNext, sessionQuery } from "../api/session";
import { readFleetView } from "../features/fleet/view";
import { readDecisionFilter } from "../features/decisions/view";
import { readLoads } from "../features/load/view";
import { readWhatIf } from "../features/whatif/view";
import { readTimelineFilter } from "../features/timeline/view";
import { LoginPage } from "../features/login/LoginPage";
import { Shell } from "../features/shell/Shell";
import { readTimeView, TIME_KEYS } from "../lib/timeRange";
import { CrashedPart, CrashPage, Nothing, NotFoundPage, PartPending } from "./fallbacks";
import { part } from "./part";

const root = createRootRouteWithContext<{ client: QueryClient }>()({
  notFoundComponent: NotFoundPage,
  errorComponent: CrashPage,
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

/** Range and zone go along from page to page; everything else in the query belongs to one page. */
const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  validateSearch: readTimeView,
  search: { middlewares: [retainSearchParams([...TIME_KEYS])] },
  beforeLoad: async ({ context, location }) => {
    const session = await context.client.ensureQueryData(sessionQuery);
    if (session === null) {
      const next = safeNext(location.href);
      throw redirect({ to: "/login", search: next === "/" ? {} : { next } });
    }
  },
  component: Shell,
  errorComponent: CrashPage,
  // until it is known who is logged in, what index.html draws stays
  pendingComponent: Nothing,
});

const fleet = createRoute({
  getParentRoute: () => shell,
  path: "/",
  validateSearch: readFleetView,
  component: lazyRouteComponent(part(() => import("../features/fleet/FleetPage")), "FleetPage"),
});

const timeline = createRoute({
  getParentRoute: () => shell,
  path: "/timeline",
  validateSearch: readTimelineFilter,
  component: lazyRouteComponent(part(() => import("../features/timeline/TimelinePage")), "TimelinePage"),
});

const slos = createRoute({
  getParentRoute: () => shell,
  path: "/slos",
  component: lazyRouteComponent(part(() => import("../features/slos/SlosPage")), "SlosPage"),
});

const slo = createRoute({
  getParentRoute: () => shell,
  path: "/teams/$team/slos/$name",
  component: lazyRouteComponent(part(() => import("../features/slos/SloPage")), "SloPage"),
});

const decisions = createRoute({
  getParentRoute: () => shell,
  path: "/decisions",
  validateSearch: readDecisionFilter,
  component: lazyRouteComponent(part(() => import("../features/decisions/DecisionsPage")), "DecisionsPage"),
});

const whatif = createRoute({
  getParentRoute: () => shell,
  path: "/whatif",
  validateSearch: readWhatIf,
  component: lazyRouteComponent(part(() => import("../features/whatif/WhatIfPage")), "WhatIfPage"),
});

const models = createRoute({
  getParentRoute: () => shell,
  path: "/models",
  component: lazyRouteComponent(part(() => import("../features/models/ModelsPage")), "ModelsPage"),
});

const clusters = createRoute({
  getParentRoute: () => shell,
  path: "/clusters",
  component: lazyRouteComponent(part(() => import("../features/clusters/ClustersPage")), "ClustersPage"),
});

const settings = createRoute({
  getParentRoute: () => shell,
  path: "/settings",
  component: lazyRouteComponent(part(() => import("../features/settings/SettingsPage")), "SettingsPage"),
});

const endpoint = createRoute({
  getParentRoute: () => shell,
  path: "/teams/$team/endpoints/$name",
  component: lazyRouteComponent(part(() => import("../features/endpoints/EndpointPage")), "EndpointPage"),
});

const pool = createRoute({
  getParentRoute: () => shell,
  path: "/teams/$team/pools/$name",
  component: lazyRouteComponent(part(() => import("../features/pool/PoolPage")), "PoolPage"),
});

const overview = createRoute({
  getParentRoute: () => pool,
  path: "/",
  component: lazyRouteComponent(part(() => import("../features/pool/Overview")), "Overview"),
});

const latency = createRoute({
  getParentRoute: () => pool,
  path: "/latency",
  component: lazyRouteComponent(part(() => import("../features/pool/ChartTabs")), "LatencyTab"),
});

const cache = createRoute({
  getParentRoute: () => pool,
  path: "/cache",
  component: lazyRouteComponent(part(() => import("../features/pool/ChartTabs")), "CacheTab"),
});

const scaling = createRoute({
  getParentRoute: () => pool,
  path: "/scaling",
  validateSearch: ({ decision }: Record<string, unknown>): { decision?: number } =>
    Number.isSafeInteger(Number(decision)) && Number(decision) > 0 ? { decision: Number(decision) } : {},
  component: lazyRouteComponent(part(() => import("../features/pool/ScalingTab")), "ScalingTab"),
});

const offload = createRoute({
  getParentRoute: () => pool,
  path: "/offload",
  component: lazyRouteComponent(part(() => import("../features/offload/OffloadTab")), "OffloadTab"),
});

const load = createRoute({
  getParentRoute: () => pool,
  path: "/load",
  validateSearch: readLoads,
  component: lazyRouteComponent(part(() => import("../features/load/LoadTab")), "LoadTab"),
});

const objects = createRoute({
  getParentRoute: () => pool,
  path: "/objects",
  validateSearch: (search: Record<string, unknown>): { pod?: string } =>
    typeof search.pod === "string" && search.pod !== "" ? { pod: search.pod } : {},
  component: lazyRouteComponent(part(() => import("../features/pool/Objects")), "Objects"),
});

const rollout = createRoute({
  getParentRoute: () => pool,
  path: "/rollout",
  component: lazyRouteComponent(part(() => import("../features/pool/Rollout")), "Rollout"),
});

const revisions = createRoute({
  getParentRoute: () => pool,
  path: "/revisions",
  validateSearch: readPair,
  component: lazyRouteComponent(part(() => import("../features/pool/Revisions")), "Revisions"),
});

const yaml = createRoute({
  getParentRoute: () => pool,
  path: "/yaml",
  component: lazyRouteComponent(part(() => import("../features/pool/Spec")), "Spec"),
});

const playground = createRoute({
  getParentRoute: () => shell,
  path: "/playground",
  validateSearch: (search: Record<string, unknown>): { pool?: string } =>
    typeof search.pool === "string" ? { pool: search.pool } : {},
  component: lazyRouteComponent(part(() => import("../features/playground/PlaygroundPage")), "PlaygroundPage"),
});

const newPool = createRoute({
  getParentRoute: () => shell,
  path: "/new",
  validateSearch: (search: Record<string, unknown>): { step?: number; model?: string } => ({
    ...([2, 3, 4].includes(Number(search.step)) ? { step: Number(search.step) } : {}),
    ...(typeof search.model === "string" ? { model: search.model } : {}),
  }),
  component: lazyRouteComponent(part(() => import("../features/change/NewPoolPage")), "NewPoolPage"),
});

const edit = createRoute({
  getParentRoute: () => shell,
  path: "/teams/$team/pools/$name/edit",
  validateSearch: (search: Record<string, unknown>): { view?: "form" | "yaml"; reason?: string } => ({
    ...(search.view === "yaml" ? { view: "yaml" as const } : {}),
    ...(typeof search.reason === "string" ? { reason: search.reason.slice(0, 500) } : {}),
  }),
  component: lazyRouteComponent(part(() => import("../features/change/EditPage")), "EditPage"),
});

const plan = createRoute({
  getParentRoute: () => shell,
  path: "/teams/$team/pools/$name/plans/$plan",
  component: lazyRouteComponent(part(() => import("../features/change/PlanPage")), "PlanPage"),
});

/** Two generations to compare. */
function readPair({ a, b }: Record<string, unknown>): { a?: number; b?: number } {
  const [older, newer] = [Number(a), Number(b)];
  return Number.isSafeInteger(older) && Number.isSafeInteger(newer) && older > 0 && newer > 0 ? { a: older, b: newer } : {};
}

export function makeRouter(client: QueryClient, history?: RouterHistory) {
  return createRouter({
    routeTree: root.addChildren([
      login,
      shell.addChildren([
        fleet,
        timeline,
        slos,
        slo,
        decisions,
        whatif,
        models,
        endpoint,
        clusters,
        settings,
        playground,
        newPool,
        edit,
        plan,
        pool.addChildren([overview, latency, cache, scaling, offload, load, objects, rollout, revisions, yaml]),
      ]),
    ]),
    context: { client },
    history,
    // Only what a page's own reader lets through; else raw words of the address reach the page beside it.
    search: { strict: true },
    defaultPreload: "intent",
    defaultErrorComponent: CrashedPart,
    // a part that is on its way: the page before it stays so long, then its place is shown
    defaultPendingComponent: PartPending,
    defaultPendingMs: 300,
    scrollRestoration: true,
  });
}

declare module "@tanstack/react-router" {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
