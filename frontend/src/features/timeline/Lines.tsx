import { Link } from "@tanstack/react-router";
import type { TimelineLine } from "../../api/types";
import { absolute, byDay, clock, millis, type Zone } from "../../lib/time";
import { Icon } from "../../ui/Icon";
import { deed, ledTo, moves, shown } from "./view";
import styles from "./Timeline.module.css";

/** Lines of one day under the day's name. */
export function Lines({ lines, zone, ofOne = false }: { lines: TimelineLine[]; zone: Zone; ofOne?: boolean }) {
  return byDay(lines, ({ at }) => at, zone).map(({ day, items }) => (
    <section key={day} aria-label={day} className={styles.day}>
      <h2>{day}</h2>
      <ol>
        {items.map((line) => (
          <Line key={`${line.source} ${line.id}`} line={line} zone={zone} ofOne={ofOne} />
        ))}
      </ol>
    </section>
  ));
}

const ADDRESSES: Record<string, "/teams/$team/pools/$name" | "/teams/$team/slos/$name" | "/teams/$team/endpoints/$name"> = {
  Pool: "/teams/$team/pools/$name",
  Endpoint: "/teams/$team/endpoints/$name",
  SLO: "/teams/$team/slos/$name",
};

/** Kinds whose objects stand together on one page. */
const LISTS: Record<string, "/models" | "/clusters" | "/settings"> = { Model: "/models", Cluster: "/clusters", Webhook: "/settings" };

function Subject({ kind, team, name }: TimelineLine) {
  const to = ADDRESSES[kind];
  const list = LISTS[kind];
  const words = `${team}/${name}`;
  if (list !== undefined) return <Link to={list}>{words}</Link>;
  return to === undefined ? (
    <b>{words}</b>
  ) : (
    <Link to={to} params={{ team, name }}>
      {words}
    </Link>
  );
}

function Line({ line, zone, ofOne }: { line: TimelineLine; zone: Zone; ofOne: boolean }) {
  const at = millis(line.at) ?? 0;
  const isChange = line.source === "change";
  const moved = moves(line);
  const generation = ledTo(line);
  const icon = isChange ? "change" : line.type === "Warning" ? "triangle" : "right";
  return (
    <li className={styles.line} data-source={line.source} data-tone={line.type === "Warning" ? "warn" : "none"}>
      <time dateTime={line.at} title={absolute(at, zone)} className="number">
        {clock(at, zone)}
      </time>
      <Icon name={icon} />
      <div>
        {isChange ? (
          <>
            <b>{line.actor ?? "somebody"}</b> {deed(line)} {!ofOne && <Subject {...line} />}
            {moved !== undefined && !line.reason.includes(moved) && <> {moved}</>}
            {generation !== undefined && <span className="muted"> to generation {generation}</span>}
            {line.reason !== "" && <span className={styles.why}>“{line.reason}”</span>}
          </>
        ) : (
          <>
            {line.type === "Warning" && <span className="visually-hidden">Warning: </span>}
            <code>{line.title}</code> {!ofOne && <Subject {...line} />} {line.message}
            {line.count > 1 && <span className="muted"> ({line.count} times)</span>}
          </>
        )}
        {line.parts.length > 0 && moved === undefined && (
          <details className={styles.parts}>
            <summary>
              {line.parts.length === 1 ? "1 place differs" : `${line.parts.length} places differ`}
            </summary>
            <ul>
              {line.parts.map(({ pointer, before, after }) => (
                <li key={pointer}>
                  <code>{pointer}</code> <del>{shown(before)}</del> <Icon name="right" size={12} />
                  <span className="visually-hidden"> became </span>{" "}<ins>{shown(after)}</ins>
                </li>
              ))}
            </ul>
          </details>
        )}
      </div>
    </li>
  );
}
