import { Charts } from "./Charts";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

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

export function ScalingTab() {
  return (
    <div className={styles.stack}>
      <Charts {...useAddress()} part="scaling" />
    </div>
  );
}
