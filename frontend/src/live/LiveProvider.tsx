import { useQueryClient } from "@tanstack/react-query";
import { createContext, use, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { keys } from "../api/keys";
import { openChannel, type Channel } from "./channel";
import { Invalidator } from "./invalidate";
import type { FromHub, StreamState } from "./protocol";

interface Live {
  state: StreamState;
  retry: () => void;
  /** Cuts the stream at once, for all tabs: the person logged out. */
  end: () => void;
}

const LiveContext = createContext<Live>({ state: "idle", retry: () => undefined, end: () => undefined });

/** Keeps the cache true while a person is logged in: one channel for the lifetime of the shell. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const [state, setState] = useState<StreamState>("connecting");
  const channel = useRef<Channel>(undefined);

  useEffect(() => {
    const invalidator = new Invalidator(client);
    let interrupted = false;
    const listen = (message: FromHub) => {
      if (message.type === "event") return invalidator.add(message.event);
      if (message.type === "reset") return invalidator.all();
      setState(message.state);
      if (message.state === "unauthorized") void client.invalidateQueries({ queryKey: keys.session });
      if (message.state === "reconnecting") interrupted = true;
      if (message.state === "live" && interrupted) {
        interrupted = false;
        invalidator.all();
      }
    };
    const opened = openChannel(listen);
    channel.current = opened;
    return () => {
      invalidator.stop();
      opened.leave();
    };
  }, [client]);

  const live = useMemo<Live>(
    () => ({ state, retry: () => channel.current?.say("retry"), end: () => channel.current?.say("forget") }), [state]);
  return <LiveContext value={live}>{children}</LiveContext>;
}

export function useLive(): Live {
  return use(LiveContext);
}
