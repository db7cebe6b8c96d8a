import { usePool } from "./usePool";
import { Charts } from "./Charts";

function useAddress() {
  const { team, name } = usePool().metadata;
  return { team, name };
}

export function LatencyTab() {
  return <Charts {...useAddress()} part="latency" />;
}

export function CacheTab() {
  return <Charts {...useAddress()} part="cache" />;
}
