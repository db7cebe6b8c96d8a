/**
 * What a console shows, kept true by events alone, equals what a fresh console would fetch.
 *
 * A model of the server keeps objects of all kinds and a log of what happened to them; the console's own queries read
 * it over `fetch` and stay mounted while operations, lost connections and repeated events come in any order. Polls are
 * off: they would mend later what an event forgot.
 */

import { QueryClient, QueryObserver, type QueryKey } from "@tanstack/react-query";
import { array, assert, asyncProperty, boolean, constant, constantFrom, integer, oneof, record, subarray } from "fast-check";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { decisionsQuery } from "../api/decisions";
import { loadsQuery } from "../api/loads";
import {
  clustersQuery, endpointQuery, endpointsQuery, eventsQuery, fleetQuery, fleetRowQuery, modelsQuery, objectsQuery, poolQuery,
  poolYamlQuery, replicasQuery, revisionsQuery, slosQuery, timelineQuery,
} from "../api/queries";
import { rolloutQuery, treeQuery } from "../api/rollout";
import { alertsQuery, sloQuery } from "../api/slos";
import { webhooksQuery } from "../api/webhooks";
import { Invalidator } from "./invalidate";
import type { StreamEvent } from "./protocol";

const KINDS = ["Pool", "SLO", "Model", "Endpoint", "Cluster", "Webhook"] as const;
const VERBS = ["updated", "deleted", "status", "event"] as const;
const NAMES = ["chat", "docs"] as const;
type Kind = (typeof KINDS)[number];

interface Happening { kind: Kind; name: string; verb: "created" | (typeof VERBS)[number] }

/** Objects by kind and name with a number that grows with each change, and the log that the stream reads. */
class ModelServer {
  readonly log: StreamEvent[] = [];
  private readonly held = new Map<string, number>();
  private readonly told: string[] = [];
  private clock = 0;

  happen({ kind, name, verb: wanted }: Happening): void {
    const key = `${kind}/${name}`;
    const verb = this.held.has(key) ? wanted : "created";
    this.clock += 1;
    if (verb === "deleted") this.held.delete(key);
    else if (verb !== "event") this.held.set(key, this.clock);
    if (verb !== "status") this.told.push(`${verb} ${key} ${this.clock}`);
    this.log.push({ kind, name, verb, team: "a", uid: key, generation: null });
  }

  /** The answer to a GET, as text: which objects it tells of is what the server's own views read. */
  answer(address: string): unknown {
    const { pathname, searchParams } = new URL(address, "http://console");
    const [, , , first, , plural, name, part] = pathname.split("/");
    if (first !== "teams") return { items: this.list(first ?? "", searchParams), next: null };
    // a load is told of by an event of its pool when it begins and ends
    if (part === "loads") return { items: this.told.filter((line) => line.startsWith("event") && line.includes(`Pool/${name ?? ""} `)), next: null };
    const parts: unknown[] = [this.of(KIND_OF[plural ?? ""] ?? "", name ?? "")];
    // a pool's page also tells of the model that it serves and the cluster that it lives in
    if (plural === "pools") parts.push(this.all("Model"), this.all("Cluster"), part ?? "object");
    return { items: parts, next: null };
  }

  private list(plural: string, query: URLSearchParams): unknown[] {
    if (plural === "fleet") return ["Pool", "SLO", "Model", "Cluster"].map((kind) => this.all(kind));
    if (plural === "timeline") return [...this.told];
    if (plural === "events") return this.told.filter((line) => line.includes(`Pool/${query.get("name") ?? ""} `));
    if (plural === "decisions") return [this.all("Pool")];
    if (plural === "alerts") return [this.all("SLO")];
    return [this.all(KIND_OF[plural] ?? "")];
  }

  private all(kind: string): string[] {
    return [...this.held].filter(([key]) => key.startsWith(`${kind}/`)).map(([key, at]) => `${key}@${at}`).toSorted();
  }

  private of(kind: string, name: string): string {
    return `${kind}/${name}@${this.held.get(`${kind}/${name}`) ?? "gone"}`;
  }
}

const KIND_OF: Record<string, Kind> = {
  pools: "Pool", slos: "SLO", models: "Model", endpoints: "Endpoint", clusters: "Cluster", webhooks: "Webhook",
};

/** Every read that the stream is to keep true. Charts poll: they move without events. Accelerators and the list of charts are the server's own data files. */
const READS = [
  fleetQuery, modelsQuery, clustersQuery, slosQuery, endpointsQuery, webhooksQuery,
  timelineQuery({}, {}, "1h"), decisionsQuery({}), alertsQuery({}),
  ...NAMES.flatMap((name) => [
    fleetRowQuery("a", name), poolQuery("a", name), poolYamlQuery("a", name), replicasQuery("a", name), eventsQuery("a", name),
    objectsQuery("a", name), revisionsQuery("a", name), rolloutQuery("a", name), treeQuery("a", name), sloQuery("a", name),
    endpointQuery("a", name), loadsQuery("a", name),
  ]),
] as unknown as { queryKey: QueryKey }[];

/** Of one or two kinds a run: another kind's event would make stale again what a forgotten one had not. */
const steps = subarray([...KINDS], { minLength: 1, maxLength: 2 }).chain((kinds) => array(
  oneof(
    { weight: 6, arbitrary: record({ kind: constantFrom(...kinds), name: constantFrom(...NAMES), verb: constantFrom(...VERBS) }) },
    { weight: 3, arbitrary: record({ deliver: integer({ min: 1, max: 5 }), pause: boolean() }) },
    { weight: 1, arbitrary: constant("repeat" as const) },
    { weight: 1, arbitrary: constant("forgotten" as const) },
  ),
  { maxLength: 20 },
));

function mount(): QueryClient {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false, staleTime: Infinity } } });
  client.mount();
  return client;
}

async function settled(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1000);
}

function observe(client: QueryClient): (() => void)[] {
  return READS.map((read) =>
    new QueryObserver(client, { ...read, refetchInterval: false, staleTime: Infinity }).subscribe(() => undefined));
}

const shown = (client: QueryClient) => READS.map(({ queryKey }) => [queryKey, client.getQueryData(queryKey)]);

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals(); });

it("shows after any events what a fresh console would fetch", async () => {
  await assert(
    asyncProperty(steps, async (taken) => {
      const server = new ModelServer();
      vi.stubGlobal("fetch", (address: string) => Promise.resolve(Response.json(server.answer(address))));
      const client = mount();
      const ends = observe(client);
      const invalidator = new Invalidator(client);
      await settled();
      let seen = 0;
      const deliver = (count: number) => {
        for (const event of server.log.slice(seen, seen + count)) invalidator.add(event);
        seen = Math.min(server.log.length, seen + count);
      };
      for (const step of taken) {
        if (step === "repeat") server.log.slice(Math.max(0, seen - 2), seen).forEach((event) => { invalidator.add(event); });
        else if (step === "forgotten") { seen = server.log.length; invalidator.all(); }
        else if ("deliver" in step) {
          deliver(step.deliver);
          if (step.pause) await settled();
        }
        else server.happen(step);
      }
      deliver(server.log.length);
      await settled();
      const fresh = mount();
      const freshEnds = observe(fresh);
      await settled();
      expect(shown(fresh).filter(([, data]) => data === undefined)).toEqual([]);
      expect(shown(client)).toEqual(shown(fresh));
      invalidator.stop();
      [...ends, ...freshEnds].forEach((end) => { end(); });
      client.clear();
      fresh.clear();
    }),
    { numRuns: 200, seed: 20261126 },
  );
});
