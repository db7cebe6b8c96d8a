/** The console comes in parts, each fetched when it is first looked at. */

import { ApiError } from "../api/problem";

/** A part did not come: it was never fetched, so only the whole page can fetch it anew (with its styles). */
export class PartError extends ApiError {
  constructor() {
    super(0, "No answer", "The server cannot be reached. The page loads itself again as soon as it answers.");
  }
}

const AGAIN = "lamplight.part";
/** A page that lacks a part although the server answers is one of an older release: loaded anew, but not in a circle. */
const PATIENCE_MS = 60_000;

export const isAnswering = (): Promise<boolean> =>
  fetch("/healthz", { cache: "no-store" }).then(
    ({ ok }) => ok,
    () => false,
  );

export function part<T>(fetched: () => Promise<T>): () => Promise<T> {
  return () =>
    fetched().catch(async (error: unknown) => {
      if (!(await isAnswering())) throw new PartError();
      const last = Number(sessionStorage.getItem(AGAIN) ?? 0);
      if (Date.now() - last < PATIENCE_MS) throw error;
      sessionStorage.setItem(AGAIN, String(Date.now()));
      location.reload();
      return new Promise<T>(() => undefined);
    });
}
