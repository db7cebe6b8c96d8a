/** What tabs and the hub of the event stream say to each other, and what the server sends. */

/** `live`: events arrive. `reconnecting`: the last attempt failed. `idle`: no visible tab needs it. */
export type StreamState = "connecting" | "live" | "reconnecting" | "unauthorized" | "idle";

/** One change of a declared object, or of what is known about it. */
export interface StreamEvent {
  kind: string;
  uid: string;
  team: string;
  name: string;
  verb: string;
  generation: number | null;
}

export type FromTab = { type: "visible" | "hidden" | "ping" | "retry" | "forget" | "bye" };

export type FromHub =
  | { type: "state"; state: StreamState }
  | { type: "event"; event: StreamEvent }
  /** What was missed cannot be replayed: everything known is stale. */
  | { type: "reset" };

export const PING_EVERY_MS = 15_000;

/** The event in a message's data; undefined when it is not one (a newer server may send more kinds of messages). */
export function parseEvent(data: string): StreamEvent | undefined {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { kind, uid, team, name, verb, generation } = value as Record<string, unknown>;
  if (typeof kind !== "string" || typeof name !== "string") return undefined;
  const text = (part: unknown) => (typeof part === "string" ? part : "");
  return {
    kind,
    name,
    uid: text(uid),
    team: text(team),
    verb: text(verb),
    generation: typeof generation === "number" ? generation : null,
  };
}
