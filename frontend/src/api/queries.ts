/** Reads of the console, each with its cache name and how it stays fresh. */

import { queryOptions } from "@tanstack/react-query";
import { serverNow } from "../lib/serverClock";
import { path, request, requestText } from "./client";
import { keys } from "./keys";
import type { Fleet, Page, Panel, PanelEntry, Pool, Replica, TimelineEvent } from "./types";

/** Rates in the fleet change without events; one telemetry tick is 10 s. */
const FLEET_EVERY_MS = 10_000;
const LIST_LIMIT = 100;

const poolPath = (team: string, name: string, ...rest: string[]) => path("teams", team, "pools", name, ...rest);

export const fleetQuery = queryOptions({
  queryKey: keys.fleet,
  queryFn: ({ signal }) => request<Fleet>("/fleet", { signal }),
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

/** A panel and the range it was asked for; Unix seconds. */
export type TimedPanel = Panel & { from: number; to: number };

/** `rangeSeconds` back from now; the server chooses the step that fits, and the chart polls at that step. */
export const panelQuery = (team: string, name: string, panel: string, rangeSeconds: number) =>
  queryOptions({
    queryKey: keys.panel(team, name, panel, rangeSeconds),
    queryFn: ({ signal }) => {
      const to = Math.floor(serverNow() / 1000);
      return request<Panel>(poolPath(team, name, "panels", panel), { signal, query: { from: to - rangeSeconds, to } }).then(
        (answer): TimedPanel => ({ ...answer, from: to - rangeSeconds, to }),
      );
    },
    refetchInterval: ({ state }) => Math.max(5, state.data?.step ?? 10) * 1000,
  });
