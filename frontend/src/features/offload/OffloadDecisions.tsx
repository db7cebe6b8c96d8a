import { useInfiniteQuery, useMutation } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { offloadDecisionsQuery, replayOffload } from "../../api/offload";
import { sentenceOf } from "../../api/problem";
import { zoneOf } from "../../lib/timeRange";
import { Age } from "../../ui/Age";
import { Button } from "../../ui/Button";
import { EmptyState } from "../../ui/Message";
import { Section } from "../../ui/Section";
import { Table } from "../../ui/Table";
import { useTimeView } from "../../ui/TimeControl";
import { replayInWords } from "../decisions/view";
import poolStyles from "../pool/Pool.module.css";

/** What was decided about tiers, newest first. */
export function OffloadDecisions({ team, name }: { team: string; name: string }) {
  const read = useInfiniteQuery(offloadDecisionsQuery(team, name));
  const { data, fetchNextPage, hasNextPage, isFetchingNextPage } = read;
  const zone = zoneOf(useTimeView()[0]);
  return (
    <Section title="Decisions on tiers" data={data?.pages.flatMap(({ items }) => items)} read={read}>
      {(rows) =>
        rows.length === 0 ? (
          <EmptyState title="Nothing was decided yet.">
            <p>
              What each tier would bring is weighed once a minute; whether the figures for it come in is said in{" "}
              <Link to="/teams/$team/pools/$name" params={{ team, name }}>
                the overview
              </Link>
              .
            </p>
          </EmptyState>
        ) : (
          <>
            <Table
              rows={rows}
              rowKey={({ id }) => id}
              columns={[
                { title: "When", cell: ({ firstAt }) => <Age of={firstAt} zone={zone} /> },
                { title: "Decision", cell: ({ verb }) => verb },
                { title: "Bound by", cell: ({ binding }) => binding },
                { title: "Times", cell: ({ count }) => count },
                { title: "Because", wide: true, cell: ({ sentence }) => sentence },
                { title: "Done", wide: true, cell: ({ actuation }) => actuation ?? "nothing had to be done" },
                { title: "Again", cell: ({ id }) => <Again team={team} name={name} id={id} /> },
              ]}
            />
            {hasNextPage && (
              <div className={poolStyles.more}>
                <Button onClick={() => void fetchNextPage()} disabled={isFetchingNextPage}>
                  Show older
                </Button>
              </div>
            )}
          </>
        )
      }
    </Section>
  );
}

/** Decides once more from the stored inputs: the same must come out. */
function Again({ team, name, id }: { team: string; name: string; id: number }) {
  const again = useMutation({ mutationFn: () => replayOffload(team, name, id) });
  return (
    <>
      <Button onClick={() => again.mutate()} disabled={again.isPending} aria-label={`Replay decision ${id}: make it again from its inputs`}>
        Replay
      </Button>
      <span role="status">
        {again.isError && sentenceOf(again.error)}
        {again.isSuccess && replayInWords(again.data)}
      </span>
    </>
  );
}
