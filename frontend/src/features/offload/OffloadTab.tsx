import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { offloadQuery, type Standing } from "../../api/offload";
import { zoneOf, type TimeView } from "../../lib/timeRange";
import { bytes, compact, format, UNKNOWN } from "../../lib/units";
import { Age } from "../../ui/Age";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { useTimeView } from "../../ui/TimeControl";
import { usePool } from "../pool/usePool";
import { MissRatio } from "./MissRatio";
import { OffloadDecisions } from "./OffloadDecisions";
import { Sizes } from "./Sizes";
import { Tiers } from "./Tiers";
import { Canary, Proof } from "./Trials";
import { Volume } from "./Volume";
import poolStyles from "../pool/Pool.module.css";
import styles from "./Offload.module.css";

/** What each tier below the accelerators' memory is worth, what is in force, and why. */
export function OffloadTab() {
  const { team, name } = usePool().metadata;
  const [view] = useTimeView();
  const read = useQuery(offloadQuery(team, name));
  const { data } = read;
  return (
    <div className={poolStyles.stack}>
      <Section title="Offload of KV blocks" data={data} read={read}>
        {(standing) => <HowItStands of={standing} view={view} team={team} name={name} />}
      </Section>
      {data !== undefined && data.mode !== "off" && (
        <>
          <Tiers of={data} team={team} name={name} />
          <Volume of={data} />
          <MissRatio of={data} team={team} name={name} />
          <Sizes team={team} name={name} />
          <Canary of={data} />
          <Proof of={data} />
          <OffloadDecisions team={team} name={name} />
        </>
      )}
    </div>
  );
}

function HowItStands({ of, view, team, name }: { of: Standing; view: TimeView; team: string; name: string }) {
  if (of.mode === "off") {
    return (
      <EmptyState title="This pool offloads nothing.">
        <p>{of.owner}</p>
        <p>Declare spec.offload with mode advisory to see what host memory or a volume would be worth; auto lets Lamplight put it in force.</p>
        <Link to="/teams/$team/pools/$name/edit" params={{ team, name }} search={{ view: "yaml" }}>
          Change the pool
        </Link>
      </EmptyState>
    );
  }
  const { measured } = of;
  const facts: [string, string][] = [
    ["Mode", of.mode],
    ["Phase", of.phase],
    ["KV bytes of a token", of.kvBytesPerToken === null ? UNKNOWN : bytes(of.kvBytesPerToken)],
    ["Prefill", format(of.prefillTokensPerSecond, "tokens/s")],
    ["Chunk", of.plan?.chunkTokens == null ? UNKNOWN : `${of.plan.chunkTokens} tokens`],
    ["Events from", measured?.engines == null ? UNKNOWN : measured.engines === 1 ? "one engine" : `${measured.engines} engines`],
    ["Lost", measured?.dropped == null ? UNKNOWN : `${compact(measured.dropped)} events, ${measured.gaps ?? 0} gaps`],
  ];
  return (
    <div className={styles.standing}>
      <p>{of.decision?.sentence ?? of.owner}</p>
      {of.decision !== null && <p className="muted">{of.owner}</p>}
      {measured !== null && measured.state !== "ok" && (
        <p className={styles.note}>
          <Status icon="question" tone="warn" word={measured.state} label="Measured" /> {measured.reason}
        </p>
      )}
      <dl className={poolStyles.facts}>
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {measured?.at != null && (
          <div>
            <dt>Measured</dt>
            <dd>
              <Age of={measured.at} zone={zoneOf(view)} />
            </dd>
          </div>
        )}
      </dl>
    </div>
  );
}
