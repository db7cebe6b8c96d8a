/** A tab's line to the hub: through the SharedWorker, or to a hub of its own where there is none. */

import { StreamHub } from "./hub";
import { PING_EVERY_MS, type FromHub, type FromTab } from "./protocol";

export interface Channel {
  say: (type: FromTab["type"]) => void;
  /** Says goodbye and stops listening. */
  leave: () => void;
}

type Listen = (message: FromHub) => void;

function connect(listen: Listen): (message: FromTab) => void {
  if (typeof SharedWorker === "undefined") return connectInTab(listen);
  try {
    const worker = new SharedWorker(new URL("./worker.ts", import.meta.url), { type: "module", name: "lamplight" });
    worker.port.addEventListener("message", ({ data }: MessageEvent<FromHub>) => listen(data));
    worker.port.start();
    return (message) => worker.port.postMessage(message);
  } catch {
    return connectInTab(listen);
  }
}

function connectInTab(listen: Listen): (message: FromTab) => void {
  const hub = new StreamHub({ address: "/api/v1/stream" });
  const self = {};
  hub.join(self, listen);
  return (message) => hub.hear(self, message);
}

export function openChannel(listen: Listen): Channel {
  const post = connect(listen);
  const say = (type: FromTab["type"]) => post({ type });
  const showing = () => say(document.visibilityState === "visible" ? "visible" : "hidden");
  const bye = () => say("bye");
  const back = (event: PageTransitionEvent) => event.persisted && location.reload();
  const ping = setInterval(() => document.visibilityState === "visible" && say("ping"), PING_EVERY_MS);
  document.addEventListener("visibilitychange", showing);
  addEventListener("pagehide", bye);
  addEventListener("pageshow", back);
  showing();
  return {
    say,
    leave: () => {
      clearInterval(ping);
      document.removeEventListener("visibilitychange", showing);
      removeEventListener("pagehide", bye);
      removeEventListener("pageshow", back);
      bye();
    },
  };
}
