/**
 * Shares one connection among tabs. Lives in a SharedWorker where the browser has one, else in the tab itself.
 * Open while at least one tab is visible; a tab that vanished without a word is dropped when its pings stop.
 */

import { StreamConnection, type ConnectionOptions } from "./connection";
import { parseEvent, PING_EVERY_MS, type FromHub, type FromTab, type StreamState } from "./protocol";

/** Switching tabs must not cut the stream. */
const CLOSE_AFTER_MS = 5_000;
const GONE_AFTER_MS = 3 * PING_EVERY_MS;

interface Tab {
  send: (message: FromHub) => void;
  visible: boolean;
  heardAt: number;
}

export class StreamHub {
  private readonly tabs = new Map<object, Tab>();
  private readonly connection: StreamConnection;
  private state: StreamState = "idle";
  private closing: ReturnType<typeof setTimeout> | undefined;
  private readonly now: () => number;

  constructor(options: Pick<ConnectionOptions, "address" | "fetch">, now: () => number = Date.now) {
    this.now = now;
    this.connection = new StreamConnection({
      ...options,
      onState: (state) => {
        this.state = state;
        this.broadcast({ type: "state", state });
      },
      onMessage: (message) => {
        if (message.event === "reset") return this.broadcast({ type: "reset" });
        const event = parseEvent(message.data);
        if (event !== undefined) this.broadcast({ type: "event", event });
      },
    });
  }

  join(tab: object, send: (message: FromHub) => void): void {
    this.tabs.set(tab, { send, visible: false, heardAt: this.now() });
    send({ type: "state", state: this.state });
  }

  hear(tab: object, message: FromTab): void {
    const known = this.tabs.get(tab);
    if (known === undefined) return;
    known.heardAt = this.now();
    switch (message.type) {
      case "visible":
      case "ping":
        known.visible = true;
        break;
      case "hidden":
        known.visible = false;
        break;
      case "forget":
        this.connection.forget();
        this.connection.close();
        known.visible = false;
        break;
      case "retry":
        known.visible = true;
        break;
      case "bye":
        this.tabs.delete(tab);
        break;
    }
    this.dropSilent();
    this.decide(message.type);
  }

  private decide(reason: FromTab["type"]): void {
    const needed = [...this.tabs.values()].some((tab) => tab.visible);
    if (needed) {
      clearTimeout(this.closing);
      this.closing = undefined;
      const waiting = this.state === "reconnecting" || this.state === "unauthorized";
      // A ping must not hurry the backoff, and a lost session is retried only when a person comes back.
      if (!waiting || reason === "visible" || reason === "retry") this.connection.open();
    } else if (this.closing === undefined && this.state !== "idle") {
      this.closing = setTimeout(() => {
        this.closing = undefined;
        this.connection.close();
      }, CLOSE_AFTER_MS);
    }
  }

  private dropSilent(): void {
    const oldest = this.now() - GONE_AFTER_MS;
    for (const [tab, { visible, heardAt }] of this.tabs) {
      if (visible && heardAt < oldest) this.tabs.delete(tab);
    }
  }

  private broadcast(message: FromHub): void {
    for (const { send } of this.tabs.values()) send(message);
  }
}
