import { usePool } from "./usePool";
import { Charts } from "./Charts";
import { CacheCurve } from "../offload/OffloadTab";
import { Outliers } from "./Outliers";
import styles from "./Pool.module.css";

function useAddress() {
  const { team, name } = usePool().metadata;
  return { team, name };
}

export function LatencyTab() {
  const address = useAddress();
  return (
    <div className={styles.stack}>
      <Charts {...address} part="latency" />
      <Outliers {...address} />
    </div>
  );
}

export function CacheTab() {
  const address = useAddress();
  return (
    <div className={styles.stack}>
      <Charts {...address} part="cache" />
      <CacheCurve {...address} />
    </div>
  );
}
