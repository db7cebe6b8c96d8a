/** Webhooks of alerts, and what was sent to them: docs/api/slos.md. */

import { queryOptions } from "@tanstack/react-query";
import { path, request } from "./client";
import { keys } from "./keys";
import type { Condition, Page } from "./types";

export interface Webhook {
  metadata: { uid: string; team: string; name: string; version: number };
  spec: { url: string; severities?: ("page" | "ticket")[]; slos?: string[]; enabled?: boolean };
  status: { conditions?: Condition[]; secretAt?: string | null };
}

export interface Delivery {
  id: string;
  event: string;
  state: "waiting" | "delivered" | "failed";
  attempts: number;
  answered: number | null;
  error: string;
  createdAt: string;
  dueAt: string;
  endedAt: string | null;
}

export const WEBHOOKS = keys.kind("webhooks");

const at = (team: string, name: string, ...rest: string[]) => path("teams", team, "webhooks", name, ...rest);

export const webhooksQuery = queryOptions({
  queryKey: WEBHOOKS,
  queryFn: ({ signal }) => request<Page<Webhook>>("/webhooks", { signal, query: { limit: 200 } }),
});

export const deliveriesQuery = (team: string, name: string) =>
  queryOptions({
    queryKey: [...WEBHOOKS, team, name, "deliveries"],
    queryFn: ({ signal }) => request<Page<Delivery>>(at(team, name, "deliveries"), { signal, query: { limit: 50 } }),
    refetchInterval: 10_000,
  });

export const makeWebhook = (team: string, name: string, url: string, severities: string[]) =>
  request<Webhook>(path("teams", team, "webhooks"), {
    method: "POST",
    body: { apiVersion: "lamplight.dev/v1", kind: "Webhook", metadata: { team, name }, spec: { url, severities } },
  });

export const deleteWebhook = ({ metadata: { team, name, uid, version } }: Webhook) =>
  request<void>(at(team, name), { method: "DELETE", headers: { "If-Match": `"${uid}:${version}"` } });

export const renewSecret = ({ metadata: { team, name } }: Webhook) => request<{ secret: string }>(at(team, name, "secret"), { method: "POST" });

export const testWebhook = ({ metadata: { team, name } }: Webhook) => request<Delivery>(at(team, name, "test"), { method: "POST" });
