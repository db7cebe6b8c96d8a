/** Parser of `text/event-stream` (WHATWG HTML, 9.2.6), fed with text in pieces of any size. */

export interface SseMessage {
  /** Last id seen so far; "" before the first. */
  id: string;
  event: string;
  data: string;
}

export class SseParser {
  /** Milliseconds that the server asked to wait before reconnecting. */
  retry: number | undefined;
  private buffer = "";
  private id: string;
  private event = "";
  private data: string[] = [];

  constructor(lastId = "") {
    this.id = lastId;
  }

  /** What to resume from; also set by an `id:` that came without data. */
  get lastId(): string {
    return this.id;
  }

  /** Messages completed by this piece, in order. */
  push(piece: string): SseMessage[] {
    this.buffer += piece;
    const messages: SseMessage[] = [];
    for (;;) {
      const end = /\r\n|\n|\r/.exec(this.buffer);
      if (end === null) return messages;
      // A lone \r at the very end may be half of \r\n.
      if (end[0] === "\r" && end.index === this.buffer.length - 1) return messages;
      const line = this.buffer.slice(0, end.index);
      this.buffer = this.buffer.slice(end.index + end[0].length);
      const message = this.line(line);
      if (message !== undefined) messages.push(message);
    }
  }

  private line(line: string): SseMessage | undefined {
    if (line === "") return this.dispatch();
    if (line.startsWith(":")) return undefined;
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "data") this.data.push(value);
    else if (field === "event") this.event = value;
    else if (field === "id" && !value.includes("\0")) this.id = value;
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return undefined;
  }

  private dispatch(): SseMessage | undefined {
    const { data, event } = this;
    this.data = [];
    this.event = "";
    if (data.length === 0) return undefined;
    return { id: this.id, event: event === "" ? "message" : event, data: data.join("\n") };
  }
}
