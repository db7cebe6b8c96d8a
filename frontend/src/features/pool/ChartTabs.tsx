import type { Pool } from "../../api/types";
import { usePool } from "./usePool";
import { Charts } from "./Charts";
import { CacheCurve } from "../offload/MissRatio";
import { Outliers } from "./Outliers";
import styles from "./Pool.module.css";

function useAddress() {
  const { team, name } = usePool().metadata;
  return { team, name };
}

/** Draft tokens are of pools that draft. */
function drafts({ spec }: Pool): boolean {
  return spec.speculative != null || (spec.engine?.args ?? []).some((arg) => arg.startsWith("--speculative"));
}

export function LatencyTab() {
  const address = useAddress();
  const pool = usePool();
  return (
    <div className={styles.stack}>
      <Charts {...address} part="latency" without={drafts(pool) ? undefined : ["speculation"]} />
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
