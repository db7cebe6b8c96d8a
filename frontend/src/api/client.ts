/** The one door to the server: deadline, CSRF token, problem documents. */

import { noteDate } from "../lib/serverClock";
import { ApiError, problemFrom } from "./problem";

const BASE = "/api/v1";
const DEADLINE_MS = 15_000;

export interface RequestOptions {
  method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  body?: unknown;
  /** A document as its author wrote it, so that errors name its own lines. */
  yaml?: string;
  headers?: Record<string, string>;
  /** Milliseconds; for what takes longer than an answer from the database. */
  deadline?: number;
  query?: Record<string, string | number | undefined>;
  signal?: AbortSignal;
}

export function url(path: string, query: RequestOptions["query"] = {}): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined) parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return text === "" ? `${BASE}${path}` : `${BASE}${path}?${text}`;
}

/** Path from parts, each escaped: a name from the address bar can never leave its place. */
export function path(...parts: string[]): string {
  return parts.map((part) => `/${encodeURIComponent(part)}`).join("");
}

export function csrfToken(cookies: string): string | undefined {
  const found = /(?:^|;\s*)csrftoken=([^;]+)/.exec(cookies);
  return found?.[1] === undefined ? undefined : decodeURIComponent(found[1]);
}

async function send(address: string, options: RequestOptions): Promise<Response> {
  const patience = options.deadline ?? DEADLINE_MS;
  const deadline = AbortSignal.timeout(patience);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  const headers: Record<string, string> = { Accept: "application/json", ...options.headers };
  const method = options.method ?? "GET";
  if (method !== "GET") {
    const token = csrfToken(document.cookie);
    if (token !== undefined) headers["X-CSRFToken"] = token;
  }
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  if (options.yaml !== undefined) headers["Content-Type"] = "application/yaml";
  try {
    return await fetch(address, {
      method,
      headers,
      body: options.yaml ?? (options.body === undefined ? undefined : JSON.stringify(options.body)),
      credentials: "same-origin",
      signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    const sentence = deadline.aborted
      ? `The server did not answer within ${patience / 1000} seconds.`
      : "The server cannot be reached.";
    throw new ApiError(0, "No answer", sentence);
  }
}

async function checked(address: string, options: RequestOptions): Promise<Response> {
  const response = await send(address, options);
  noteDate(response.headers.get("Date"));
  if (!response.ok) throw problemFrom(response.status, await response.text());
  return response;
}

export async function request<T>(address: string, options: RequestOptions = {}): Promise<T> {
  const response = await checked(url(address, options.query), options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

export async function requestText(address: string, options: RequestOptions = {}): Promise<string> {
  return (await checked(url(address, options.query), options)).text();
}
