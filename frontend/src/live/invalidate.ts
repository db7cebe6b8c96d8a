/** Which cached answers an event makes stale. */

import type { QueryClient, QueryKey } from "@tanstack/react-query";
import { keys } from "../api/keys";
import type { StreamEvent } from "./protocol";

const GATHER_MS = 250;

export function staleKeys(event: StreamEvent): QueryKey[] {
  switch (event.kind) {
    case "Pool":
      if (event.verb === "event") return [keys.events(event.team, event.name), keys.loads(event.team, event.name), keys.timeline];
      return [keys.fleet, keys.pool(event.team, event.name), keys.timeline, keys.decisions];
    case "SLO":
      return [keys.fleet, keys.panels, keys.kind("slos"), keys.alerts, keys.timeline];
    case "Model":
      return [keys.fleet, keys.pools, keys.kind("models"), keys.timeline];
    case "Endpoint":
      return [keys.kind("endpoints"), keys.timeline];
    case "Webhook":
      return [keys.kind("webhooks"), keys.timeline];
    case "Cluster":
      return [keys.fleet, keys.pools, keys.kind("clusters"), keys.timeline];
    default:
      return [];
  }
}

/** Gathers the stale keys of a burst of events, then refetches each once. */
export class Invalidator {
  private readonly waiting = new Map<string, QueryKey>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly client: QueryClient;

  constructor(client: QueryClient) {
    this.client = client;
  }

  add(event: StreamEvent): void {
    for (const key of staleKeys(event)) this.waiting.set(JSON.stringify(key), key);
    if (this.waiting.size > 0) this.timer ??= setTimeout(() => this.flush(), GATHER_MS);
  }

  all(): void {
    void this.client.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.session[0] });
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting.clear();
  }

  private flush(): void {
    const stale = [...this.waiting.values()];
    this.stop();
    for (const queryKey of stale) void this.client.invalidateQueries({ queryKey });
  }
}
