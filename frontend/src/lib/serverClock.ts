/** The server's clock as far as its answers tell it: a laptop whose clock is off must not shift every chart. */

let offset = 0;

/** `Date` headers have whole seconds; smaller differences are not known, and not of interest. */
const WORTH_NOTING_MS = 2_000;

export function noteDate(header: string | null): void {
  const told = header === null ? Number.NaN : Date.parse(header);
  if (!Number.isFinite(told)) return;
  const difference = told - Date.now();
  offset = Math.abs(difference) < WORTH_NOTING_MS ? 0 : difference;
}

/** A moment of this computer's clock, milliseconds since 1970, as the server's tells it. */
export function byServer(moment: number): number {
  return moment + offset;
}

/** Milliseconds since 1970, by the server's clock. */
export function serverNow(): number {
  return byServer(Date.now());
}
