/**
 * The one HTTP connection of the event stream. `fetch` instead of EventSource: it tells the status (a lost session is
 * not a lost server) and can resume by id after it was closed on purpose.
 */

import { SseParser, type SseMessage } from "./sse";
import type { StreamState } from "./protocol";

const FIRST_DELAY_MS = 500;
const LAST_DELAY_MS = 5_000;
/** The server sends a heartbeat every 15 s; silence of two and a half of them is a dead connection. */
const SILENCE_MS = 40_000;

export interface ConnectionOptions {
  address: string;
  onMessage: (message: SseMessage) => void;
  onState: (state: StreamState) => void;
  fetch?: typeof fetch;
  /** In [0, 1): spreads the reconnections of many browsers. */
  random?: () => number;
}

export class StreamConnection {
  private lastId = "";
  private attempt: AbortController | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failures = 0;
  private readonly options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.options = options;
  }

  /** Opens now; a pending reconnection is brought forward. Does nothing while open. */
  open(): void {
    if (this.attempt !== undefined) return;
    clearTimeout(this.timer);
    const attempt = new AbortController();
    this.attempt = attempt;
    this.options.onState(this.failures === 0 ? "connecting" : "reconnecting");
    void this.run(attempt);
  }

  close(): void {
    clearTimeout(this.timer);
    this.attempt?.abort();
    this.attempt = undefined;
    this.failures = 0;
    this.options.onState("idle");
  }

  /** The next connection starts from now, not from the last id: another person logged in. */
  forget(): void {
    this.lastId = "";
  }

  private async run(attempt: AbortController): Promise<void> {
    let retry: number | undefined;
    try {
      const outcome = await this.read(attempt);
      retry = outcome.retry;
      if (outcome.unauthorized) {
        if (this.attempt === attempt) {
          this.attempt = undefined;
          this.options.onState("unauthorized");
        }
        return;
      }
    } catch {
      // A refused, broken or silent connection: all end the same way, by trying again.
    }
    if (this.attempt !== attempt) return;
    this.attempt = undefined;
    this.options.onState("reconnecting");
    this.timer = setTimeout(() => this.open(), this.delay(retry));
    this.failures += 1;
  }

  private delay(retry: number | undefined): number {
    const ceiling = Math.min(LAST_DELAY_MS, (retry ?? FIRST_DELAY_MS) * 2 ** this.failures);
    const random = this.options.random ?? Math.random;
    return ceiling / 2 + random() * (ceiling / 2);
  }

  private async read(attempt: AbortController): Promise<{ unauthorized: boolean; retry: number | undefined }> {
    const headers: Record<string, string> = { Accept: "text/event-stream" };
    if (this.lastId !== "") headers["Last-Event-ID"] = this.lastId;
    const { promise: silence, watch, done } = silenceWatch(attempt);
    try {
      const get = this.options.fetch ?? fetch;
      const response = await Promise.race([
        get(this.options.address, { headers, credentials: "same-origin", cache: "no-store", signal: attempt.signal }),
        silence,
      ]);
      if (response.status === 401 || response.status === 403) return { unauthorized: true, retry: undefined };
      if (!response.ok || response.body === null) throw new Error(`stream answered ${response.status}`);
      this.failures = 0;
      this.options.onState("live");
      const parser = new SseParser(this.lastId);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        watch();
        const { done: ended, value } = await Promise.race([reader.read(), silence]);
        if (ended || this.attempt !== attempt) return { unauthorized: false, retry: parser.retry };
        for (const message of parser.push(value)) this.options.onMessage(message);
        this.lastId = parser.lastId;
      }
    } finally {
      done();
    }
  }
}

/** Rejects, and aborts the attempt, when `watch` was not called for SILENCE_MS. */
function silenceWatch(attempt: AbortController): { promise: Promise<never>; watch: () => void; done: () => void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let reject: (reason: Error) => void = () => undefined;
  const promise = new Promise<never>((_, fail) => {
    reject = fail;
  });
  promise.catch(() => undefined);
  const watch = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      reject(new Error("the stream fell silent"));
      attempt.abort();
    }, SILENCE_MS);
  };
  watch();
  return { promise, watch, done: () => clearTimeout(timer) };
}
