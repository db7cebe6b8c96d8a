import { absolute, age, millis, type Zone } from "../lib/time";
import { useNow } from "../state/now";

/** How long ago, with the exact moment on hover. */
export function Age({ of, zone = "local" }: { of: string | number | null | undefined; zone?: Zone }) {
  const now = useNow();
  const at = millis(of);
  if (at === null) return <span className="muted">—</span>;
  return (
    <time className="number" dateTime={new Date(at).toISOString()} title={absolute(at, zone)}>
      {age(at, now)}
    </time>
  );
}
