/** SharedWorker: one event stream for all tabs of this browser. */

import { StreamHub } from "./hub";
import type { FromTab } from "./protocol";

const scope = self as unknown as SharedWorkerGlobalScope;
const hub = new StreamHub({ address: "/api/v1/stream" });

scope.addEventListener("connect", ({ ports: [port] }) => {
  if (port === undefined) return;
  port.addEventListener("message", ({ data }: MessageEvent<FromTab>) => hub.hear(port, data));
  hub.join(port, (message) => port.postMessage(message));
  port.start();
});
