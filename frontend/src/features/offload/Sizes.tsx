import { useQuery } from "@tanstack/react-query";
import { sizesQuery } from "../../api/offload";
import { bytes, compact, format, money, UNKNOWN } from "../../lib/units";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";

/** What smaller and larger tiers would bring. */
export function Sizes({ team, name }: { team: string; name: string }) {
  const read = useQuery(sizesQuery(team, name));
  const { data } = read;
  return (
    <Section title="What other sizes would bring" data={data} read={read}>
      {({ rows, reason }) =>
        rows.length === 0 ? (
          <EmptyState title="There are no sizes to compare yet.">
            <p>{reason}</p>
            <Button onClick={() => void read.refetch()}>Look again</Button>
          </EmptyState>
        ) : (
          <Table
            rows={rows}
            rowKey={({ kind, bytes: size }) => `${kind} ${size}`}
            columns={[
              { title: "Tier and size", cell: ({ kind, bytes: size, chosen }) => `${kind} ${bytes(size)}${chosen ? " (chosen)" : ""}` },
              { title: "Hit rate", cell: ({ hitRate }) => format(hitRate, "1") },
              { title: "Replicas", cell: ({ accelerators }) => (accelerators === null ? UNKNOWN : signed(accelerators)) },
              { title: "Costs", cell: ({ cost }) => money(cost?.amount, cost?.currency) },
              { title: "Saves", cell: ({ gain }) => money(gain?.amount, gain?.currency) },
              { title: "In words", wide: true, cell: ({ sentence }) => sentence },
            ]}
          />
        )
      }
    </Section>
  );
}

function signed(value: number): string {
  return value > 0 ? `+${compact(value)}` : value < 0 ? `−${compact(-value)}` : "0";
}
