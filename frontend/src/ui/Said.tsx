import { useSaid } from "../state/said";

/** The one place of `say`. It takes no focus and no room; only what is added to it is read out. */
export function Said() {
  return (
    <div aria-live="polite" aria-relevant="additions" className="visually-hidden">
      {useSaid().map(({ id, text }) => (
        <p key={id}>{text}</p>
      ))}
    </div>
  );
}
