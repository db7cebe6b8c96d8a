/** Reads of the console, each with its cache name and how it stays fresh. */

import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { serverNow } from "../lib/serverClock";
import { fixedWindow, windowAt, type Range, type TimeView, type TimeWindow } from "../lib/timeRange";
import { path, request, requestText } from "./client";
import { keys } from "./keys";
import type {
  Accelerator,
  Cluster,
  Endpoint,
  Fleet,
  Inventory,
  Member,
  Model,
  OwnedObject,
  Page,
  Panel,
  PanelEntry,
  Pool,
  Replica,
  Revision,
  SLO,
  Team,
  TimelineEvent,
  TimelineLine,
  Token,
  UserAccount,
} from "./types";

/** Rates in the fleet change without events; one telemetry tick is 10 s. */
const FLEET_EVERY_MS = 10_000;
const LIST_LIMIT = 100;

const poolPath = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, ...rest);

export const fleetQuery = queryOptions({
  queryKey: keys.fleet,
  queryFn: ({ signal }) => request<Fleet>("/fleet", { signal }),
  refetchInterval: FLEET_EVERY_MS,
});

/** A pool as the fleet shows it: with its promises and what was decided about them. */
export const fleetRowQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...keys.fleet, team, name],
    queryFn: async ({ signal }) => (await request<Fleet>("/fleet", { signal, query: { team, name } })).items[0] ?? null,
    refetchInterval: FLEET_EVERY_MS,
  });

export const poolQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.poolObject(team, name),
    queryFn: ({ signal }) => request<Pool>(poolPath(team, name), { signal }),
    refetchInterval: 30_000,
  });

export const poolYamlQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.poolYaml(team, name),
    queryFn: ({ signal }) => requestText(poolPath(team, name), { signal, query: { format: "yaml" } }),
  });

export const replicasQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.replicas(team, name),
    queryFn: ({ signal }) => request<Page<Replica>>(poolPath(team, name, "replicas"), { signal }),
    refetchInterval: 15_000,
  });

export const eventsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.events(team, name),
    queryFn: ({ signal }) =>
      request<Page<TimelineEvent>>("/events", { signal, query: { kind: "Pool", team, name, limit: LIST_LIMIT } }),
    refetchInterval: 30_000,
  });

export const panelsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.panelList(team, name),
    queryFn: ({ signal }) => request<Page<PanelEntry>>(poolPath(team, name, "panels"), { signal }),
    staleTime: Infinity,
  });

/** A panel and the stretch it was asked for; Unix seconds. */
export type TimedPanel = Panel & TimeWindow;

/** Engines that are newer than others of their variant, or those others. */
export type Track = "canary" | "stable";

/** Where the stretch moves with now, the server chooses the step that fits and the chart polls at that step. */
export const panelQuery = (team: string, name: string, panel: string, view: TimeView, fallback: Range, track?: Track) =>
  queryOptions({
    queryKey: [...keys.panel(team, name, panel, stretchKey(view, fallback)), track ?? ""],
    queryFn: async ({ signal }): Promise<TimedPanel> => {
      const asked = windowAt(view, fallback, serverNow());
      const answer = await request<Panel>(poolPath(team, name, "panels", panel), { signal, query: { ...asked, track } });
      return { ...answer, ...asked };
    },
    refetchInterval: ({ state }) => (fixedWindow(view) === undefined ? Math.max(5, state.data?.step ?? 10) * 1000 : false),
  });

const stretchKey = (view: TimeView, fallback: Range) => {
  const fixed = fixedWindow(view);
  return fixed === undefined ? (view.range ?? fallback) : `${fixed.from}-${fixed.to}`;
};

export const objectsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.objects(team, name),
    queryFn: ({ signal }) => request<Page<OwnedObject>>(poolPath(team, name, "objects"), { signal }),
  });

export const revisionsQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.revisions(team, name),
    queryFn: ({ signal }) => request<Page<Revision>>(poolPath(team, name, "revisions"), { signal, query: { limit: LIST_LIMIT } }),
  });

export interface TimelineFilter {
  team?: string;
  kind?: string;
  name?: string;
  source?: "change" | "event";
  type?: "Warning";
}

/** Pages of the timeline, each as long as a screen; older ones when they are asked for. */
export const timelineQuery = (filter: TimelineFilter, view: TimeView, fallback: Range) =>
  infiniteQueryOptions({
    queryKey: [...keys.timeline, filter, stretchKey(view, fallback)],
    queryFn: ({ signal, pageParam }) => {
      const { from, to } = windowAt(view, fallback, serverNow());
      // A list that ends now must not lose what happens while it is read.
      const stretch = fixedWindow(view) === undefined ? { from } : { from, to };
      return request<Page<TimelineLine>>("/timeline", { signal, query: { ...filter, ...stretch, limit: 50, cursor: pageParam } });
    },
    initialPageParam: undefined as string | undefined,
    getNextPageParam: ({ next }) => next ?? undefined,
    refetchInterval: 30_000,
  });

/** All objects of a kind that one may see. */
const kindQuery = <T>(plural: string) =>
  queryOptions({
    queryKey: keys.kind(plural),
    queryFn: ({ signal }) => request<Page<T>>(`/${plural}`, { signal, query: { limit: 500 } }),
    refetchInterval: 60_000,
  });

export const modelsQuery = kindQuery<Model>("models");
export const clustersQuery = kindQuery<Cluster>("clusters");
export const slosQuery = kindQuery<SLO>("slos");
export const endpointsQuery = kindQuery<Endpoint>("endpoints");

export const endpointQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: keys.object("endpoints", team, name),
    queryFn: ({ signal }) => request<Endpoint>(path("teams", team, "endpoints", name), { signal }),
    refetchInterval: 30_000,
  });

export const inventoryQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...keys.object("clusters", team, name), "inventory"],
    queryFn: ({ signal }) => request<Inventory>(path("teams", team, "clusters", name, "inventory"), { signal }),
    refetchInterval: 30_000,
  });

export const acceleratorsQuery = queryOptions({
  queryKey: keys.accelerators,
  queryFn: ({ signal }) => request<Page<Accelerator>>("/accelerators", { signal }),
  staleTime: Infinity,
});

export const tokensQuery = queryOptions({
  queryKey: keys.tokens,
  queryFn: ({ signal }) => request<Page<Token>>("/tokens", { signal }),
});

/** Everybody, for administrators of the installation; more when they are asked for. */
export const usersQuery = infiniteQueryOptions({
  queryKey: keys.users,
  queryFn: ({ signal, pageParam }) => request<Page<UserAccount>>("/users", { signal, query: { limit: 100, cursor: pageParam } }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: ({ next }) => next ?? undefined,
});

export const teamsQuery = queryOptions({
  queryKey: keys.teams,
  queryFn: ({ signal }) => request<Page<Team>>("/teams", { signal }),
});

export const membersQuery = (team: string) =>
  queryOptions({
    queryKey: keys.members(team),
    queryFn: ({ signal }) => request<Page<Member>>(path("teams", team, "members"), { signal }),
  });
