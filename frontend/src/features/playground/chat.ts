/** A chat through a pool's gateway: docs/api/playground.md. The stream's pieces, and what they say about speed. */

import { csrfToken, path, url } from "../../api/client";
import { ApiError, problemFrom } from "../../api/problem";
import { seconds } from "../../lib/units";
import { SseParser } from "../../live/sse";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

export interface Turn {
  text: string;
  replica: string | null;
  /** Of the decision that sent it there; null where the gateway explains none. */
  route: string | null;
  /** Seconds since the request was sent, one a piece. */
  times: number[];
  /** Seconds to the end; undefined while it goes on. */
  took?: number;
  finish?: string | null;
  promptTokens?: number | null;
  completionTokens?: number | null;
  cachedTokens?: number | null;
  problem?: string;
}

export const EMPTY: Turn = { text: "", replica: null, route: null, times: [] };

/** The turn after one more event of its stream; unknown events change nothing. */
export function told(turn: Turn, event: string, data: Record<string, unknown>): Turn {
  const number = (value: unknown) => (typeof value === "number" ? value : null);
  switch (event) {
    case "start":
      return {
        ...turn,
        replica: typeof data.replica === "string" ? data.replica : null,
        route: typeof data.route === "string" ? data.route : null,
      };
    case "message":
      return { ...turn, text: turn.text + String(data.text ?? ""), times: [...turn.times, number(data.at) ?? 0] };
    case "done":
      return {
        ...turn,
        took: number(data.at) ?? 0,
        finish: typeof data.finish === "string" ? data.finish : null,
        promptTokens: number(data.promptTokens),
        completionTokens: number(data.completionTokens),
        cachedTokens: number(data.cachedTokens),
      };
    case "problem":
      return { ...turn, took: turn.times.at(-1) ?? 0, problem: String(data.detail ?? "The chat ended without a reason.") };
    default:
      return turn;
  }
}

/** Read out whole up to here; who wants more of it finds it in the conversation. */
const READ_OUT = 400;

/** An answer that has ended, for those who hear the page: told once, not piece by piece. */
export function answered({ text, took = 0 }: Turn): string {
  const words = text.length > READ_OUT ? `${text.slice(0, READ_OUT)}… and more` : text;
  return words.trim() === "" ? `The model ended without a word after ${seconds(took)}.` : `The model answered in ${seconds(took)}: ${words}`;
}

/** Time to first token, and the median and 95th percentile of the time between pieces; null before they are known. */
export function speed({ times }: Turn): { ttft: number | null; itlMedian: number | null; itl95: number | null } {
  const gaps = times.slice(1).map((at, index) => at - (times[index] ?? at)).toSorted((a, b) => a - b);
  const at = (share: number) => (gaps.length === 0 ? null : (gaps[Math.min(gaps.length - 1, Math.floor(share * gaps.length))] ?? null));
  return { ttft: times[0] ?? null, itlMedian: at(0.5), itl95: at(0.95) };
}

interface Wish {
  messages: Message[];
  maxTokens: number;
  temperature: number;
}

/** Sends it and calls back at every change. Throws ApiError when it is refused before it begins. */
export async function chat(team: string, name: string, wish: Wish, onTurn: (turn: Turn) => void, signal: AbortSignal): Promise<void> {
  const token = csrfToken(document.cookie);
  const response = await fetch(url(path("teams", team, "pools", name, "chat")), {
    method: "POST",
    headers: { "Content-Type": "application/json", ...(token === undefined ? {} : { "X-CSRFToken": token }) },
    body: JSON.stringify(wish),
    credentials: "same-origin",
    signal,
  }).catch((error: unknown) => {
    if (signal.aborted) throw error;
    throw new ApiError(0, "No answer", "The server cannot be reached.");
  });
  if (!response.ok || response.body === null) throw problemFrom(response.status, await response.text());
  let turn = EMPTY;
  const parser = new SseParser();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const messages = parser.push(value);
    for (const { event, data } of messages) turn = told(turn, event, parsed(data));
    if (messages.length > 0) onTurn(turn);
  }
  if (turn.took === undefined) onTurn({ ...turn, took: turn.times.at(-1) ?? 0, problem: "The answer was cut." });
}

function parsed(data: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(data);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
