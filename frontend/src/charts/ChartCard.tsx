import { useMemo, useState, type ReactNode } from "react";
import type { TimedPanel } from "../api/queries";
import type { Panel } from "../api/types";
import { sentenceOf } from "../api/problem";
import { absolute, clock, type Zone } from "../lib/time";
import type { TimeWindow } from "../lib/timeRange";
import { format, unitName } from "../lib/units";
import { Button } from "../ui/Button";
import { Icon } from "../ui/Icon";
import { Skeleton } from "../ui/Message";
import { columns, type Columns } from "./data";
import { DataTable } from "./DataTable";
import { Heatmap, HeatScale } from "./Heatmap";
import { inWords, peaks } from "./heat";
import { Legend, valueAt } from "./Legend";
import { Marks, type Mark } from "./Marks";
import { TimeChart } from "./TimeChart";
import styles from "./Chart.module.css";

interface Props {
  title: string;
  panel: TimedPanel | undefined;
  error: unknown;
  onRetry: () => void;
  zone: Zone;
  syncKey: string;
  /** A stretch was drawn over with the mouse. */
  onZoom?: (window: TimeWindow) => void;
  /** Moments to point out, such as decisions. */
  marks?: readonly Mark[];
}

const EMPTY = { no_traffic: "No traffic", no_data: "No data" } as const;

/** What the cursor stands on, for those who cannot see it. */
function speak(panel: Panel, points: Columns, at: number | null, zone: Zone): string {
  const index = at ?? points.times.length - 1;
  const time = points.times[index];
  if (time === undefined) return "no points";
  const values = panel.series.map(({ label }, series) => `${label} ${format(valueAt(points, series, index), panel.unit)}`);
  return `${absolute(time * 1000, zone)}: ${values.join(", ")}`;
}

function Trouble({ error, onRetry }: { error: unknown; onRetry: () => void }) {
  return (
    <div className={styles.note} data-tone="bad" role="alert">
      <Icon name="triangle" />
      <span>{sentenceOf(error)}</span>
      <Button onClick={onRetry}>Try again</Button>
    </div>
  );
}

/** One chart in its five states; every state has the size of the drawn chart, so that nothing jumps. */
export function ChartCard({ title, panel, error, onRetry, zone, syncKey, onZoom, marks }: Props) {
  const [asTable, setAsTable] = useState(false);
  const [cursor, setCursor] = useState<number | null>(null);
  const lines = useMemo(() => (panel?.heatmap === undefined ? panel : { ...panel, series: peaks(panel.heatmap) }), [panel]);
  const points = useMemo(() => columns(lines?.series ?? []), [lines]);
  const failed = error !== null && error !== undefined;

  let body: ReactNode;
  if (panel === undefined) {
    body = failed ? <Trouble error={error} onRetry={onRetry} /> : <Skeleton height="100%" label={`Loading ${title}`} />;
  } else if (panel.state === "no_traffic" || panel.state === "no_data") {
    body = (
      <div className={styles.empty}>
        <b>{EMPTY[panel.state]}</b>
        <span>{panel.reason}</span>
      </div>
    );
  } else if (asTable) {
    body = <DataTable panel={lines ?? panel} columns={points} zone={zone} />;
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

  const drawn = panel !== undefined && panel.state !== "no_traffic" && panel.state !== "no_data";
  return (
    <figure className={styles.card} aria-label={title} data-state={failed ? "error" : (panel?.state ?? "loading")}>
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
      {drawn && panel.state === "stale" && (
        <div className={styles.note} data-tone="warn">
          <Icon name="triangle" />
          <span>Stale. {panel.reason}</span>
        </div>
      )}
      {drawn && panel.state === "error" && (
        <div className={styles.note} data-tone="bad">
          <Icon name="triangle" />
          <span>{panel.reason}</span>
          {/* What the source refuses is mended there; the next tick tells. */}
          {panel.cause !== "source" && <Button onClick={onRetry}>Try again</Button>}
        </div>
      )}
      {panel !== undefined && failed && <Trouble error={error} onRetry={onRetry} />}
      <div className={styles.body} data-past={panel?.state === "stale" || panel?.state === "error"}>
        {body}
        {drawn && !asTable && marks !== undefined && marks.length > 0 && <Marks marks={marks} from={panel.from} to={panel.to} zone={zone} />}
      </div>
      <div className={styles.foot}>
        {drawn &&
          (panel.heatmap === undefined ? (
            <Legend panel={panel} columns={points} at={cursor} />
          ) : (
            <p className={styles.legend}>
              {inWords(panel.heatmap, cursor, panel.unit, (time) => clock(time * 1000, zone))} <HeatScale heatmap={panel.heatmap} />
            </p>
          ))}
      </div>
    </figure>
  );
}
