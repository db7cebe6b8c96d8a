import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { keys } from "../api/keys";
import { ApiError } from "../api/problem";

const RETRIES = 2;

/** Errors that trying again cannot mend are shown at once. */
export function shouldRetry(failures: number, error: unknown): boolean {
  const lasting = error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429;
  return !lasting && failures < RETRIES;
}

/** One cache for the page. A 401 from anywhere means that the session is over: the shell then asks to log in. */
export function makeQueryClient(): QueryClient {
  const ended = (error: unknown) => {
    if (error instanceof ApiError && error.status === 401) client.setQueryData(keys.session, null);
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: ended }),
    mutationCache: new MutationCache({ onError: ended }),
    defaultOptions: {
      queries: { retry: shouldRetry, staleTime: 2_000, networkMode: "always" },
      mutations: { networkMode: "always" },
    },
  });
  return client;
}
