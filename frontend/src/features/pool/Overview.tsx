import { zoneOf } from "../../lib/timeRange";
import { useTimeView } from "../../ui/TimeControl";
import { Charts } from "./Charts";
import { Conditions } from "./Conditions";
import { Events } from "./Events";
import { Fed } from "./Fed";
import { Replicas } from "./Replicas";
import { Variants } from "./Variants";
import { usePool } from "./usePool";
import styles from "./Pool.module.css";

/** What is declared, what runs, what is wrong. */
export function Overview() {
  const pool = usePool();
  const { team, name } = pool.metadata;
  const zone = zoneOf(useTimeView()[0]);
  return (
    <div className={styles.stack}>
      <Charts team={team} name={name} part="overview" />
      <Variants pool={pool} />
      <Replicas team={team} name={name} zone={zone} />
      <Conditions pool={pool} zone={zone} />
      <Fed team={team} name={name} zone={zone} />
      <Events team={team} name={name} zone={zone} />
    </div>
  );
}
