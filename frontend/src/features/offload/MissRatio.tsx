import { useQuery } from "@tanstack/react-query";
import { curveQuery, offloadQuery, type Curve, type Standing } from "../../api/offload";
import { XYChart } from "../../charts/XYChart";
import { bytes, duration, percent } from "../../lib/units";
import { Section } from "../../ui/Section";

/** Bytes of a replica's cache with the host tier that would pay and is not there; null where none is proposed. */
export function proposedBytes({ tiers }: Standing, present: number | undefined): number | null {
  const more = tiers.filter(({ kind, on, verdict, bytes: size }) => kind === "host" && !on && verdict === "worth it" && size !== null);
  if (present === undefined || more.length === 0) return null;
  return more.reduce((sum, { bytes: size }) => sum + (size ?? 0), present);
}

/** The curve alone, for the page about the cache; nothing where the pool measures no curve. */
export function CacheCurve({ team, name }: { team: string; name: string }) {
  const read = useQuery(offloadQuery(team, name));
  const { data } = read;
  if (data?.mode === "off" || read.isPending) return null;
  if (data !== undefined) return <MissRatio of={data} team={team} name={name} />;
  return (
    <Section title="Hit rate by size of the cache" data={undefined} read={read}>
      {() => null}
    </Section>
  );
}

/** How much of the prompts a cache of any size would find, with the sizes that there are and that pay. */
export function MissRatio({ of, team, name }: { of: Standing; team: string; name: string }) {
  const replica = useQuery(curveQuery(team, name, "replica"));
  const pool = useQuery(curveQuery(team, name, "pool"));
  const both = [
    { title: "a cache for each replica", found: replica },
    { title: "one cache for the pool", found: pool },
  ];
  const main = replica.data;
  const note = main?.state !== "ok" ? (main?.reason ?? "") : facts(main);
  const ceilings = both.flatMap(({ found }) => (found.data?.ceiling == null ? [] : [found.data.ceiling]));
  const proposed = proposedBytes(of, main?.present?.bytes);
  const marks =
    main === undefined
      ? []
      : [
          ...(main.present === null ? [] : [{ x: main.present.bytes, label: "present" }]),
          ...(main.knee === null ? [] : [{ x: main.knee.bytes, label: `knee: ${bytes(main.knee.bytes)}` }]),
          ...(proposed === null ? [] : [{ x: proposed, label: `proposed: ${bytes(proposed)}` }]),
        ];
  return (
    <XYChart
      title="Hit rate by size of the cache"
      x={{ title: "bytes, accelerators and tiers together", format: bytes, isLog: true }}
      y={{ title: "prompt tokens found", format: percent }}
      series={both.flatMap(({ title, found }, at) =>
        found.data === undefined || found.data.points.length === 0 ? [] : [{ key: `curve${at}`, label: title, look: "line" as const, points: found.data.points.map((one) => ({ x: one.bytes, y: one.hitRate })) }],
      )}
      at={marks}
      level={ceilings.length === 0 ? [] : [{ y: Math.max(...ceilings), label: `no cache finds more than ${percent(Math.max(...ceilings))}` }]}
      note={note}
      read={replica}
      isLoading={replica.isPending}
    />
  );
}

function facts({ oneHitShare, reuseTime, tiers }: Curve): string {
  const parts = [];
  if (oneHitShare !== null) parts.push(`${percent(oneHitShare)} of blocks never come back`);
  if (reuseTime?.p50 != null) parts.push(`half of those that do within ${duration(reuseTime.p50)}`);
  const said = parts.join("; ");
  return tiers == null || tiers.lost.length === 0 ? said : [said, tiers.sentence].filter((part) => part !== "").join(". ");
}
