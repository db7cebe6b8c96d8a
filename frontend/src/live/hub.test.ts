import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { StreamHub } from "./hub";
import type { FromHub } from "./protocol";

/** A server side of fetch: each call is a stream that the test feeds, cuts or refuses. */
class FakeServer {
  calls: { lastId: string | null; controller: ReadableStreamDefaultController<Uint8Array>; signal: AbortSignal }[] = [];
  status = 200;

  fetch = (_address: unknown, init: RequestInit = {}): Promise<Response> => {
    if (this.status !== 200) return Promise.resolve(new Response("", { status: this.status }));
    const signal = init.signal as AbortSignal;
    let controller!: ReadableStreamDefaultController<Uint8Array>;
    const body = new ReadableStream<Uint8Array>({ start: (given) => void (controller = given) });
    signal.addEventListener("abort", () => controller.error(new Error("aborted")));
    this.calls.push({ lastId: new Headers(init.headers).get("Last-Event-ID"), controller, signal });
    return Promise.resolve(new Response(body));
  };

  send(text: string) {
    this.calls.at(-1)?.controller.enqueue(new TextEncoder().encode(text));
  }
}

const POOL = '{"kind":"Pool","uid":"u","team":"default","name":"chat","verb":"updated","generation":2}';

function setup() {
  const server = new FakeServer();
  const hub = new StreamHub({ address: "/api/v1/stream", fetch: server.fetch as typeof fetch });
  const tab = () => {
    const self = {};
    const heard: FromHub[] = [];
    hub.join(self, (message) => heard.push(message));
    const states = () => heard.flatMap((message) => (message.type === "state" ? [message.state] : []));
    const events = () => heard.flatMap((message) => (message.type === "event" ? [message.event.name] : []));
    return { self, heard, states, events, say: (type: "visible" | "hidden" | "retry" | "ping" | "bye" | "forget") => hub.hear(self, { type }) };
  };
  return { server, tab };
}

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("StreamHub", () => {
  it("shares one connection among tabs and tells all of them", async () => {
    const { server, tab } = setup();
    const [first, second] = [tab(), tab()];
    first.say("visible");
    second.say("visible");
    await settle();
    server.send(`id: 5\ndata: ${POOL}\n\n`);
    await settle();
    expect(server.calls).toHaveLength(1);
    expect(first.events()).toEqual(["chat"]);
    expect(second.events()).toEqual(["chat"]);
  });

  it("closes when no tab is visible and resumes by id", async () => {
    const { server, tab } = setup();
    const only = tab();
    only.say("visible");
    await settle();
    server.send(`id: 5\ndata: ${POOL}\n\n`);
    await settle();
    only.say("hidden");
    await settle(4_000);
    expect(only.states().at(-1)).toBe("live");
    await settle(2_000);
    expect(server.calls[0]?.signal.aborted).toBe(true);
    expect(only.states().at(-1)).toBe("idle");
    only.say("visible");
    await settle();
    expect(server.calls[1]?.lastId).toBe("5");
  });

  it("reconnects after a cut, and says so meanwhile", async () => {
    const { server, tab } = setup();
    const only = tab();
    only.say("visible");
    await settle();
    server.calls[0]?.controller.close();
    await settle();
    expect(only.states().at(-1)).toBe("reconnecting");
    await settle(1_000);
    expect(server.calls).toHaveLength(2);
    expect(only.states().at(-1)).toBe("live");
  });

  it("takes silence for a dead connection", async () => {
    const { server, tab } = setup();
    const only = tab();
    only.say("visible");
    await settle(30_000);
    only.say("ping");
    server.send(": heartbeat\n\n");
    await settle(30_000);
    only.say("ping");
    expect(server.calls).toHaveLength(1);
    await settle(15_000);
    expect(server.calls.length).toBeGreaterThan(1);
  });

  it("tells a lost session from a lost server and does not hammer it", async () => {
    const { server, tab } = setup();
    server.status = 401;
    const only = tab();
    only.say("visible");
    await settle();
    expect(only.states().at(-1)).toBe("unauthorized");
    server.status = 200;
    only.say("ping");
    await settle(60_000);
    expect(server.calls).toHaveLength(0);
    only.say("retry");
    await settle();
    expect(server.calls).toHaveLength(1);
  });

  it("passes a reset on and ignores messages that it does not know", async () => {
    const { server, tab } = setup();
    const only = tab();
    only.say("visible");
    await settle();
    server.send("data: not json\n\nevent: reset\ndata: {}\n\n");
    await settle();
    expect(only.heard.filter(({ type }) => type !== "state")).toEqual([{ type: "reset" }]);
  });

  it("forgets a tab that vanished without a word", async () => {
    const { server, tab } = setup();
    const [vanished, hidden] = [tab(), tab()];
    vanished.say("visible");
    await settle(50_000);
    server.send(": heartbeat\n\n");
    hidden.say("hidden");
    await settle(6_000);
    expect(server.calls.at(-1)?.signal.aborted).toBe(true);
  });
});
