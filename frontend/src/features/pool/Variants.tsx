import type { Pool, Variant } from "../../api/types";
import { awake } from "../../lib/replicas";
import { UNKNOWN } from "../../lib/units";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";

interface Live {
  name: string;
  desired: number | null;
  ready: number | null;
  asleep?: number;
}

function live({ status }: Pool, variant: string): Live | undefined {
  const rows = Array.isArray(status.variants) ? (status.variants as Live[]) : [];
  return rows.find(({ name }) => name === variant);
}

function parallelism({ parallelism: declared }: Variant): string {
  const { tensor = 1, pipeline = 1, data = 1 } = declared ?? {};
  return `TP ${tensor} · PP ${pipeline} · DP ${data}`;
}

function readyWords(seen: Live | undefined): string {
  const up = awake(seen ?? {}) ?? UNKNOWN;
  return seen?.asleep ? `${up} and ${seen.asleep} asleep` : String(up);
}

/** Declared beside live, variant by variant. */
export function Variants({ pool }: { pool: Pool }) {
  return (
    <Section title="Variants" note="declared and live" data={pool.spec.variants}>
      {(variants) => (
        <Table
          rows={variants}
          rowKey={({ name }) => name}
          columns={[
            { title: "Variant", cell: ({ name }) => name },
            { title: "Accelerator", cell: ({ accelerator }) => accelerator },
            { title: "Parallelism", cell: parallelism },
            { title: "Role", cell: ({ role }) => role ?? "both" },
            { title: "Capacity", cell: ({ capacityType }) => capacityType ?? "on-demand" },
            { title: "Bounds", cell: ({ replicas }) => `${replicas?.min ?? UNKNOWN} to ${replicas?.max ?? UNKNOWN}` },
            { title: "Desired", cell: ({ name }) => live(pool, name)?.desired ?? UNKNOWN },
            { title: "Ready", cell: ({ name }) => readyWords(live(pool, name)) },
          ]}
        />
      )}
    </Section>
  );
}
