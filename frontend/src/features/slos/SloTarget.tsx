import { Link } from "@tanstack/react-router";
import { standingOf } from "../../api/slos";
import type { SLO } from "../../api/types";

/** What an SLO is of; an Endpoint is told with the pools that it was counted at. */
export function SloTarget({ slo }: { slo: SLO }) {
  const { team } = slo.metadata;
  const { kind, name } = slo.spec.targetRef;
  if (kind === "Pool") return <PoolLink team={team} name={name} />;
  const pools = standingOf(slo).pools ?? [];
  return (
    <>
      {kind}{" "}
      <Link to="/teams/$team/endpoints/$name" params={{ team, name }}>
        {name}
      </Link>
      {pools.length > 0 && (
        <span className="muted">
          {" "}
          (
          {pools.map((pool, at) => (
            <span key={pool}>
              {at > 0 && ", "}
              <PoolLink team={team} name={pool} />
            </span>
          ))}
          )
        </span>
      )}
    </>
  );
}

function PoolLink({ team, name }: { team: string; name: string }) {
  return (
    <Link to="/teams/$team/pools/$name" params={{ team, name }}>
      {name}
    </Link>
  );
}
