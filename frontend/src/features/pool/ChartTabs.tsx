import { zoneOf } from "../../lib/timeRange";
import { useTimeView } from "../../ui/TimeControl";
import { Decisions } from "../decisions/Decisions";
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
  const { team, name } = useAddress();
  return (
    <div className={styles.stack}>
      <Charts team={team} name={name} part="scaling" />
      <Decisions filter={{ team, pool: name }} zone={zoneOf(useTimeView()[0])} />
    </div>
  );
}
