/** The whole console on a made-up server: what a test looks at is what a person would see. */

import { QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, RouterProvider } from "@tanstack/react-router";
import { render } from "@testing-library/react";
import { vi } from "vitest";
import { makeQueryClient } from "../app/queryClient";
import { makeRouter } from "../app/router";
import { panel } from "./fixtures";

type Answer = { status?: number; body?: unknown; text?: string };
type Handler = (request: { url: URL; method: string; body: unknown; text: string; headers: Headers }) => Answer;

export const problem = (status: number, detail: string): Answer => ({ status, body: { title: "Problem", status, detail } });

export class FakeServer {
  /** By "METHOD /path below /api/v1"; a test replaces what it wants to go differently. */
  readonly routes = new Map<string, Handler>();
  readonly seen: string[] = [];
  private stream: ReadableStreamDefaultController<Uint8Array> | undefined;

  on(route: string, answer: Answer | Handler): this {
    this.routes.set(route, typeof answer === "function" ? answer : () => answer);
    return this;
  }

  emit(event: unknown): void {
    this.stream?.enqueue(new TextEncoder().encode(`id: 1\ndata: ${JSON.stringify(event)}\n\n`));
  }

  install(): this {
    vi.stubGlobal("fetch", (address: string, init: RequestInit = {}) => this.answer(address, init));
    return this;
  }

  private answer(address: string, init: RequestInit): Promise<Response> {
    const url = new URL(address, "http://console.test");
    const route = `${init.method ?? "GET"} ${url.pathname.replace("/api/v1", "")}`;
    this.seen.push(route);
    if (route === "GET /stream" && !this.routes.has(route)) {
      const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.stream = controller) });
      return Promise.resolve(new Response(body));
    }
    const sent = new Headers(init.headers);
    // nothing is on trial here
    const untried: Handler = () => ({ body: panel({ state: "no_data", series: [] }) });
    const known = url.searchParams.has("track") ? untried : this.routes.get(route);
    const handler = known ?? (() => problem(404, "There is nothing at this address."));
    const { status = 200, body, text } = handler({
      url,
      method: init.method ?? "GET",
      body: typeof init.body === "string" && !sent.get("Content-Type")?.includes("yaml") ? JSON.parse(init.body) : undefined,
      text: typeof init.body === "string" ? init.body : "",
      headers: sent,
    });
    return Promise.resolve(new Response(status === 204 ? null : (text ?? JSON.stringify(body)), { status }));
  }
}

export const ADMIN = { body: { user: { username: "admin", superuser: true }, teams: [{ name: "default", role: "admin" }] } };

export function openConsole(address: string) {
  const client = makeQueryClient();
  client.setDefaultOptions({ queries: { ...client.getDefaultOptions().queries, retryDelay: 1 } });
  const history = createMemoryHistory({ initialEntries: [address] });
  const router = makeRouter(client, history);
  render(
    <QueryClientProvider client={client}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  return { client, router, address: () => history.location.href };
}
