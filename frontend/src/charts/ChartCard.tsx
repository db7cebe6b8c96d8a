import { useMemo, useState, type ReactNode } from "react";
import type { TimedPanel } from "../api/queries";
import type { Panel } from "../api/types";
import { sentenceOf } from "../api/problem";
import { absolute, clock, type Zone } from "../lib/time";
import type { TimeWindow } from "../lib/timeRange";
import { compact, format, unitName } from "../lib/units";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Message";
import { NotRefreshed } from "../ui/NotRefreshed";
import type { Read } from "../ui/read";
import { columns, estimateOf, scale, type Columns } from "./data";
import { DataTable } from "./DataTable";
import { Heatmap, HeatScale } from "./Heatmap";
import { Instead } from "./Instead";
import { inWords, peaks } from "./heat";
import { Legend, valueAt } from "./Legend";
import { Marks, type Mark } from "./Marks";
import { TimeChart } from "./TimeChart";
import styles from "./Chart.module.css";

interface Props {
  title: string;
  panel: TimedPanel | undefined;
  read: Read;
  zone: Zone;
  syncKey: string;
  /** A stretch was drawn over with the mouse. */
  onZoom?: (window: TimeWindow) => void;
  /** Moments to point out, such as decisions. */
  marks?: readonly Mark[];
}

const WORDS: Record<Panel["state"], string> = { ok: "", no_traffic: "No traffic", no_data: "No data", stale: "Stale", error: "Error" };

/** What the cursor stands on, for those who cannot see it. */
function speak(panel: Panel, points: Columns, at: number | null, zone: Zone): string {
  const index = at ?? points.times.length - 1;
  const time = points.times[index];
  if (time === undefined) return "no points";
  const values = panel.series.map(({ label }, series) => `${label} ${format(valueAt(points, series, index), panel.unit)}`);
  return `${absolute(time * 1000, zone)}: ${values.join(", ")}`;
}

/** One chart in its five states; every state has the size of the drawn chart, so that nothing jumps. */
export function ChartCard({ title, panel, read, zone, syncKey, onZoom, marks }: Props) {
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<number | null>(null);
  const lines = useMemo(() => (panel?.heatmap === undefined ? panel : { ...panel, series: peaks(panel.heatmap) }), [panel]);
  const points = useMemo(() => columns(lines?.series ?? []), [lines]);
  const failed = read.error !== null;
  const retry = () => void read.refetch();

  const isEmpty = panel?.state === "no_traffic" || panel?.state === "no_data" || (panel?.state === "error" && points.times.length === 0);
  const drawn = isEmpty ? undefined : panel;
  // what the source refuses is mended there; the next tick tells
  const again = panel?.state === "error" && panel.cause !== "source" ? retry : undefined;
  const isPast = drawn?.state === "stale" || drawn?.state === "error";
  const note = isPast ? `${WORDS[drawn.state]}. ${drawn.reason ?? ""}` : "";
  const { cut } = useMemo(() => scale(points.values, [], panel?.unit ?? "", panel && estimateOf(panel)), [points, panel]);

  let body: ReactNode;
  if (panel === undefined) {
    body = failed ? <Instead word="Not loaded" reason={sentenceOf(read.error)} isAlert onRetry={retry} /> : <Skeleton height="100%" label={`Loading ${title}`} />;
  } else if (isEmpty) {
    body = <Instead word={WORDS[panel.state]} reason={panel.reason} onRetry={again} />;
  } else if (asTable) {
    body = <DataTable panel={lines ?? panel} columns={points} zone={zone} note={note === "" && failed ? "Stale: it could not be read anew." : note} />;
  } else if (panel.heatmap !== undefined) {
    body = (
      <Heatmap
        panel={panel}
        heatmap={panel.heatmap}
        from={panel.from}
        to={panel.to}
        zone={zone}
        at={cursor}
        onCursor={setCursor}
        spoken={inWords(panel.heatmap, cursor, panel.unit, (time) => absolute(time * 1000, zone))}
      />
    );
  } else {
    body = (
      <TimeChart
        panel={panel}
        from={panel.from}
        to={panel.to}
        zone={zone}
        syncKey={syncKey}
        onCursor={setCursor}
        onZoom={onZoom}
        at={cursor}
        spoken={speak(panel, points, cursor, zone)}
      />
    );
  }

  const state = panel === undefined ? (failed ? "error" : "loading") : failed ? "stale" : panel.state;
  return (
    <figure className={styles.card} aria-label={title} data-state={state}>
      <header>
        <h3>
          {title} {panel !== undefined && <span className="unit">{unitName(panel.unit)}</span>}
        </h3>
        <Button
          look="quiet"
          aria-pressed={asTable}
          aria-label={`${title} as a table`}
          title={asTable ? "Show as chart" : "Show as table"}
          onClick={() => setAsTable(!asTable)}
        >
          <Icon name={asTable ? "chart" : "table"} />
        </Button>
      </header>
      {/* As high as the drawing alone: what is said of it takes its room from it, so that nothing below jumps. */}
      <div className={styles.room}>
        <NotRefreshed read={read} isSmall />
        {note !== "" && (
          <div className={styles.note} data-tone={drawn?.state === "error" ? "bad" : "warn"}>
            <Icon name="triangle" />
            <span>{note}</span>
            {again !== undefined && <Button onClick={again}>Try again</Button>}
          </div>
        )}
        <div className={styles.body} data-past={isPast || state === "stale"}>
          {body}
          {drawn !== undefined && !asTable && marks !== undefined && marks.length > 0 && <Marks marks={marks} from={drawn.from} to={drawn.to} zone={zone} />}
        </div>
      </div>
      <div className={styles.foot}>
        {drawn !== undefined && !asTable && cut !== undefined && (
          <p className={styles.cut}>
            {cut.moments === 1 ? "One moment rises" : `${compact(cut.moments)} moments rise`} above the axis, to {format(cut.most, drawn.unit)} at most
            {drawn.estimate === undefined ? ": next to nothing was served then" : ""}. The table has them.
          </p>
        )}
        {drawn !== undefined &&
          (drawn.heatmap === undefined ? (
            <Legend panel={drawn} columns={points} at={cursor} />
          ) : (
            <p className={styles.legend}>
              {inWords(drawn.heatmap, cursor, drawn.unit, (time) => clock(time * 1000, zone))} <HeatScale heatmap={drawn.heatmap} />
            </p>
          ))}
      </div>
    </figure>
  );
}
