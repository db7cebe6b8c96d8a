import { useMutation } from "@tanstack/react-query";
import { preflight, type Check } from "../../api/integrity";
import { sentenceOf } from "../../api/problem";
import type { Cluster } from "../../api/types";
import { Button } from "../../ui/Button";
import type { IconName } from "../../ui/Icon";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Status, type Tone } from "../../ui/Status";
import { Table } from "../../ui/Table";
import styles from "./Preflight.module.css";

const LOOKS: Record<Check["state"], { icon: IconName; tone: Tone; word: string }> = {
  ok: { icon: "check", tone: "ok", word: "In order" },
  warning: { icon: "diamond", tone: "warn", word: "Goes without" },
  failed: { icon: "triangle", tone: "bad", word: "Failed" },
  unknown: { icon: "question", tone: "none", word: "Unknown" },
};

/** Can pools live there: as it was last seen, or asked of the cluster now. */
export function Preflight({ cluster, title }: { cluster: Cluster; title: string }) {
  const { team, name } = cluster.metadata;
  const asked = useMutation({ mutationFn: () => preflight(team, name) });
  const seen = asked.data?.checks ?? (cluster.status.checks as Check[] | undefined) ?? [];
  const check = (
    <Button onClick={() => asked.mutate()} disabled={asked.isPending} aria-label={`Check now: ${name}`}>
      {asked.isPending ? "Checking…" : "Check now"}
    </Button>
  );
  return (
    <Section
      title={title}
      note={asked.isSuccess ? "asked of it just now" : "as it was last seen"}
      tools={check}
      data={seen}
    >
      {(checks) => (
        <>
          <div role="status">{asked.isError && <p className={styles.trouble}>{sentenceOf(asked.error)}</p>}</div>
          {checks.length === 0 ? (
            <EmptyState title="It was not looked at yet.">{check}</EmptyState>
          ) : (
            <Table
              rows={checks}
              rowKey={({ name: check }) => check}
              columns={[
                { title: "Check", cell: ({ name: check }) => check },
                { title: "State", cell: ({ state }) => <Status {...LOOKS[state]} label="Check" /> },
                { title: "Says", wide: true, cell: ({ message }) => message },
              ]}
            />
          )}
        </>
      )}
    </Section>
  );
}
