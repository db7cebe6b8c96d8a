import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { PLACES, POOL_TABS } from "../../app/places";
import { fleetQuery } from "../../api/queries";
import { useWritable } from "../../state/rights";
import { chooseTheme } from "../../state/theme";
import { useTimeView } from "../../ui/TimeControl";
import { find, type Entry } from "./find";
import styles from "./Palette.module.css";

interface Command extends Entry {
  run: () => void;
}

function useCommands(): Command[] {
  const navigate = useNavigate();
  const client = useQueryClient();
  const { data } = useQuery(fleetQuery);
  const [time, showTime] = useTimeView();
  const mayMake = useWritable()?.length !== 0;
  return useMemo(() => {
    const pages: Command[] = PLACES.map(({ to, title }) => ({ id: to, title, group: "Page", run: () => void navigate({ to }) }));
    const pools = (data?.items ?? []).flatMap(({ team, name, model }): Command[] =>
      POOL_TABS.map(({ to, title }) => ({
        id: `${to} ${team}/${name}`,
        title: title === "Overview" ? name : `${name} · ${title}`,
        group: `Pool of ${team}`,
        words: title === "Load" ? `${model} send traffic requests benchmark` : model,
        run: () => void navigate({ to, params: { team, name } }),
      })),
    );
    const actions: Command[] = [
      ...(mayMake ? [{ id: "new", title: "New pool", group: "Action", words: "create deploy declare", run: () => void navigate({ to: "/new" }) }] : []),
      ...(["system", "light", "dark"] as const).map((theme) => ({
        id: theme,
        title: `Theme: ${theme}`,
        group: "Action",
        run: () => chooseTheme(theme),
      })),
      {
        id: "zone",
        title: time.tz === "utc" ? "Show browser time" : "Show UTC",
        group: "Action",
        words: "time zone",
        run: () => showTime({ ...time, tz: time.tz === "utc" ? undefined : "utc" }),
      },
      { id: "refresh", title: "Read everything anew", group: "Action", words: "reload refresh", run: () => void client.invalidateQueries() },
    ];
    const overviews = pools.filter(({ title }) => !title.includes(" · "));
    return [...pages, ...overviews, ...actions, ...pools.filter(({ title }) => title.includes(" · "))];
  }, [client, data, mayMake, navigate, showTime, time]);
}

/** A list that is filtered by typing: the combobox pattern of the ARIA practices guide, inside a modal dialog. */
export function Palette({ onClose }: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  const found = find(useCommands(), query);
  const chosen = found[Math.min(at, found.length - 1)];

  // closing it, whatever way it goes, gives the focus back to where it was
  useLayoutEffect(() => {
    const opened = dialog.current;
    opened?.showModal?.();
    return () => opened?.close?.();
  }, []);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView?.({ block: "nearest" });
  }, [at, query]);

  const run = (command: Command | undefined) => {
    if (command === undefined) return;
    onClose();
    command.run();
  };
  const press = (event: KeyboardEvent) => {
    const last = Math.max(0, found.length - 1);
    const goal = { ArrowDown: at >= last ? 0 : at + 1, ArrowUp: at <= 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (goal !== undefined) {
      event.preventDefault();
      setAt(goal);
    }
    if (event.key === "Enter") {
      event.preventDefault();
      run(chosen);
    }
  };

  return (
    <dialog ref={dialog} className={styles.palette} aria-label="Go to" onClose={onClose}>
      <input
        role="combobox"
        aria-label="Pools, pages and actions"
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen === undefined ? undefined : `${id}-${chosen.id}`}
        aria-autocomplete="list"
        placeholder="Pools, pages and actions"
        value={query}
        autoComplete="off"
        spellCheck={false}
        onChange={({ target }) => {
          setQuery(target.value);
          setAt(0);
        }}
        onKeyDown={press}
      />
      <div ref={list} id={`${id}-list`} role="listbox" aria-label="Found" tabIndex={-1} className={styles.list}>
        {found.map((command) => (
          // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- keys are the combobox's
          <div
            key={command.id}
            id={`${id}-${command.id}`}
            role="option"
            tabIndex={-1}
            aria-selected={command === chosen}
            onClick={() => run(command)}
          >
            <span>{command.title}</span>
            <span className="muted">{command.group}</span>
          </div>
        ))}
      </div>
      <p role="status" className={found.length === 0 ? styles.nothing : "visually-hidden"}>
        {found.length === 0 ? "Nothing is called that." : `${found.length} found`}
      </p>
    </dialog>
  );
}
