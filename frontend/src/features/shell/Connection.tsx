import { useEffect, useState, useSyncExternalStore } from "react";
import { useLive } from "../../live/LiveProvider";
import { say } from "../../state/said";
import type { StreamState } from "../../live/protocol";
import { Button } from "../../ui/Button";
import { Icon } from "../../ui/Icon";
import { Status, type Tone } from "../../ui/Status";
import styles from "./Shell.module.css";

/** A restart of the server takes a moment; only a longer silence deserves a banner. */
const PATIENCE_MS = 3_000;

const LOOKS: Record<StreamState, { word: string; tone: Tone; icon: "check" | "half" | "triangle" | "pause" }> = {
  live: { word: "Live", tone: "ok", icon: "check" },
  connecting: { word: "Connecting", tone: "info", icon: "half" },
  reconnecting: { word: "Reconnecting", tone: "warn", icon: "triangle" },
  unauthorized: { word: "Logged out", tone: "warn", icon: "triangle" },
  idle: { word: "Paused", tone: "none", icon: "pause" },
};

function listen(changed: () => void): () => void {
  addEventListener("online", changed);
  addEventListener("offline", changed);
  return () => {
    removeEventListener("online", changed);
    removeEventListener("offline", changed);
  };
}

/** Whether this computer has a network at all: known at once, long before a stream notices that it is cut. */
const useOnline = () => useSyncExternalStore(listen, () => navigator.onLine);

const OFFLINE = { word: "Offline", tone: "warn", icon: "triangle" } as const;

export function ConnectionState() {
  const { state } = useLive();
  const isOnline = useOnline();
  return (
    // told by the banner, once it has lasted: a restart of the server is no news
    <div className={styles.connection} role="status" aria-live="off">
      <Status {...(isOnline ? LOOKS[state] : OFFLINE)} label="Updates" />
    </div>
  );
}

export function ConnectionBanner() {
  const { state, retry } = useLive();
  const isOnline = useOnline();
  return (!isOnline || state === "reconnecting") && <LostBanner onRetry={retry} />;
}

function LostBanner({ onRetry }: { onRetry: () => void }) {
  const [shown, setShown] = useState(false);
  useEffect(() => {
    let isTold = false;
    const timer = setTimeout(() => {
      isTold = true;
      setShown(true);
      say("Connection lost. What is shown is the last that was known.");
    }, PATIENCE_MS);
    return () => {
      clearTimeout(timer);
      if (isTold) say("Connected again. What is shown is new.");
    };
  }, []);
  if (!shown) return null;
  return (
    <div className={styles.banner}>
      <Icon name="triangle" />
      <p>
        {navigator.onLine ? "The control plane does not answer." : "This computer is offline."} What you see is the last
        that was known; the engines go on serving. Trying again by itself.
      </p>
      <Button onClick={onRetry}>Try now</Button>
    </div>
  );
}
