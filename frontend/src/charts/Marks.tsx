import { Link } from "@tanstack/react-router";
import { absolute, type Zone } from "../lib/time";
import { Icon, type IconName } from "../ui/Icon";
import { gathered } from "./marking";
import styles from "./Chart.module.css";

/** A moment to point out, and the part of the address that opens it. */
export interface Mark {
  id: number;
  /** Unix seconds. */
  time: number;
  icon: IconName;
  label: string;
  search: Record<string, unknown>;
}

/** Links above the moments at which something was decided; those that would lie on each other share one. */
export function Marks({ marks, from, to, zone }: { marks: readonly Mark[]; from: number; to: number; zone: Zone }) {
  return (
    <ul className={styles.marks} aria-label="Decisions">
      {gathered(marks, from, to).map((group) => {
        const [newest] = group;
        if (newest === undefined) return null;
        const said = group.map(({ label, time }) => `${absolute(time * 1000, zone)}: ${label}`).join("; ");
        return (
          <li key={newest.id} style={{ left: `${((newest.time - from) / (to - from)) * 100}%` }}>
            <Link to="." search={((before: object) => ({ ...before, ...newest.search })) as never} resetScroll={false} title={said} aria-label={said} activeOptions={{ exact: true, includeSearch: true }}>
              <Icon name={newest.icon} size={14} />
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
