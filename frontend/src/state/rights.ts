/** What somebody may do, as the server would say: said before a form is filled in, and not instead of the server. */

import { useQuery } from "@tanstack/react-query";
import { sessionQuery } from "../api/session";
import type { Session } from "../api/types";

/** The teams whose objects a session may change; `undefined`: all of them. */
export function writable(session: Session | null | undefined): string[] | undefined {
  if (session == null || session.user.superuser === true) return undefined;
  return session.teams?.filter(({ role }) => role !== "viewer").map(({ name }) => name);
}

/** The teams whose objects one may change; `undefined`: all of them. */
export function useWritable(): string[] | undefined {
  return writable(useQuery(sessionQuery).data);
}

export function useMayWrite(team: string): boolean {
  const teams = useWritable();
  return teams === undefined || teams.includes(team);
}
