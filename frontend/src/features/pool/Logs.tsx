import { useQuery } from "@tanstack/react-query";
import { useLayoutEffect, useRef, useState } from "react";
import { logsQuery } from "../../api/rollout";
import { Button } from "../../ui/Button";
import { Icon } from "../../ui/Icon";
import { Segmented } from "../../ui/Segmented";
import { Section } from "../../ui/Section";
import styles from "./Pool.module.css";

interface Props {
  team: string;
  name: string;
  pod: string;
  onClose: () => void;
}

const RUNS = [
  { value: "now", label: "This run" },
  { value: "before", label: "The run before" },
] as const;

/** The newest lines, read anew every few seconds while the reader is at their end; whoever looks back is left in peace. */
export function Logs({ team, name, pod, onClose }: Props) {
  const [container, setContainer] = useState<string>();
  const [follows, setFollows] = useState(true);
  const [run, setRun] = useState<"now" | "before">("now");
  const read = useQuery({ ...logsQuery(team, name, pod, container, run === "before"), ...(follows ? {} : { refetchInterval: false }) });
  const { data } = read;
  const place = useRef<HTMLPreElement>(null);
  useLayoutEffect(() => {
    const box = place.current;
    if (box !== null && follows) box.scrollTop = box.scrollHeight;
  }, [data, follows]);
  const containers = data?.containers ?? [];

  return (
    <Section
      title={`Logs of ${pod}`}
      note={data?.truncated ? `newest ${data.lines.length} lines` : undefined}
      tools={
        <div className={styles.logTools}>
          {containers.length > 1 && (
            <Segmented
              label="Container"
              value={data?.container ?? ""}
              choices={containers.map((value) => ({ value, label: value }))}
              onChange={setContainer}
            />
          )}
          <Segmented label="Run" value={run} choices={RUNS} onChange={setRun} />
          {run === "now" && (
            <Button onClick={() => setFollows(!follows)}>
              <Icon name={follows ? "pause" : "down"} /> {follows ? "Stop" : "Follow"}
            </Button>
          )}
          <Button onClick={onClose}>Close</Button>
        </div>
      }
      data={data}
      read={read}
    >
      {({ lines }) => (
        <pre
          ref={place}
          className={styles.logs}
          tabIndex={0}
          aria-label={`Log lines of ${pod}`}
          onScroll={({ currentTarget: box }) => {
            setFollows(box.scrollHeight - box.scrollTop - box.clientHeight < 24);
          }}
        >
          {lines.length === 0 ? "It has written nothing." : lines.join("\n")}
        </pre>
      )}
    </Section>
  );
}
