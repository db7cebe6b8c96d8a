/** Who is logged in. `null` is an answer (nobody), not an error. */

import { queryOptions } from "@tanstack/react-query";
import { request } from "./client";
import { keys } from "./keys";
import { ApiError } from "./problem";
import type { Session } from "./types";

export const sessionQuery = queryOptions({
  queryKey: keys.session,
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await request<Session>("/session", { signal });
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) return null;
      throw error;
    }
  },
  staleTime: Infinity,
});

export function logIn(username: string, password: string): Promise<Session> {
  return request<Session>("/session", { method: "POST", body: { username, password } });
}

export function logOut(): Promise<void> {
  return request<void>("/session", { method: "DELETE" });
}

/** Where to go after logging in: only places inside the console, never another site's address. */
export function safeNext(next: unknown): string {
  if (typeof next !== "string" || !next.startsWith("/") || next.startsWith("//") || next.includes("\\")) return "/";
  return next.startsWith("/login") ? "/" : next;
}
