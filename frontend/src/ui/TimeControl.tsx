import { useNavigate, useSearch } from "@tanstack/react-router";
import { useRef, useState, type FormEvent } from "react";
import { absolute } from "../lib/time";
import { fixedWindow, fromInput, RANGES, readTimeView, toInput, windowAt, zoneOf, type Range, type TimeView } from "../lib/timeRange";
import { serverNow } from "../lib/serverClock";
import { Button } from "./Button";
import { Segmented } from "./Segmented";
import styles from "./TimeControl.module.css";

const RANGE_CHOICES = (Object.keys(RANGES) as Range[]).map((value) => ({ value, label: value }));
const ZONE_CHOICES = [
  { value: "local", label: "Browser time" },
  { value: "utc", label: "UTC" },
] as const;

/** The time part of the address, and how to change it. Every page below the shell has it. */
export function useTimeView(): [TimeView, (change: TimeView) => void] {
  const search = useSearch({ strict: false });
  const navigate = useNavigate();
  const view = readTimeView({ ...search });
  const change = (next: TimeView) =>
    // Each part is named, also where it is undefined: what is not named is kept by the router.
    void navigate({
      to: ".",
      search: (before: object) => ({ ...before, range: next.range, from: next.from, to: next.to, tz: next.tz }),
    } as Parameters<typeof navigate>[0]);
  return [view, change];
}

/** The one control of range and zone. `fallback`: the page's range where the address names none. */
export function TimeControl({ fallback }: { fallback: Range }) {
  const [view, change] = useTimeView();
  const zone = zoneOf(view);
  const fixed = fixedWindow(view);
  return (
    <div className={styles.time}>
      {fixed === undefined ? (
        <Segmented
          label="Time range"
          value={view.range ?? fallback}
          choices={RANGE_CHOICES}
          onChange={(range) => change({ range: range === fallback ? undefined : range, tz: view.tz })}
        />
      ) : (
        <div className={styles.fixed}>
          <span>
            {absolute(fixed.from * 1000, zone)} to {absolute(fixed.to * 1000, zone)}
          </span>
          <Button onClick={() => change({ tz: view.tz })}>Back to now</Button>
        </div>
      )}
      <Between view={view} fallback={fallback} onChange={change} />
      <Segmented
        label="Time zone"
        value={zone}
        choices={ZONE_CHOICES}
        onChange={(tz) => change({ ...view, tz: tz === "utc" ? "utc" : undefined })}
      />
    </div>
  );
}

interface BetweenProps {
  view: TimeView;
  fallback: Range;
  onChange: (view: TimeView) => void;
}

function Between({ view, fallback, onChange }: BetweenProps) {
  const zone = zoneOf(view);
  const place = useRef<HTMLDetailsElement>(null);
  const [trouble, setTrouble] = useState("");
  const shown = windowAt(view, fallback, serverNow());

  const close = () => {
    if (place.current === null) return;
    place.current.open = false;
    place.current.querySelector("summary")?.focus();
  };
  const apply = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [from, to] = [fromInput(String(form.get("from")), zone), fromInput(String(form.get("to")), zone)];
    const read = readTimeView({ from, to, tz: view.tz });
    if (read.from === undefined) {
      setTrouble("The end must be at least a minute after the start, and both within 400 days.");
      return;
    }
    setTrouble("");
    onChange(read);
    close();
  };

  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- the key is one of whatever in it has the focus
    <details ref={place} className={styles.between} onKeyDown={({ key }) => key === "Escape" && close()}>
      <summary>Between…</summary>
      <form key={JSON.stringify(view)} onSubmit={apply}>
        <label>
          From
          <input type="datetime-local" name="from" required defaultValue={toInput(shown.from, zone)} />
        </label>
        <label>
          To
          <input type="datetime-local" name="to" required defaultValue={toInput(shown.to, zone)} />
        </label>
        <p className="muted">{zone === "utc" ? "In UTC." : "In this browser’s time zone."}</p>
        {trouble !== "" && (
          <p role="alert" className="bad">
            {trouble}
          </p>
        )}
        <Button look="primary" type="submit">
          Show
        </Button>
      </form>
    </details>
  );
}
