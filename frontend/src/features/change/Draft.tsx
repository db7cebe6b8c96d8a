import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { ApiError, type ProblemDetail } from "../../api/problem";
import { Segmented } from "../../ui/Segmented";
import { Icon } from "../../ui/Icon";
import styles from "./Change.module.css";
import { schemaAt, valuesFor } from "./complete";
import { Form } from "./Form";
import { useSchema } from "./useSchema";
import { YamlEditor } from "./YamlEditor";

const VIEWS = [
  { value: "form", label: "Form" },
  { value: "yaml", label: "YAML" },
] as const;

export type View = (typeof VIEWS)[number]["value"];

const PAUSE_MS = 600;

/** The value, once it has stood still for a moment. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** What the server would say about the draft, asked when typing pauses. */
export function useCheck(text: string, check: (text: string, signal: AbortSignal) => Promise<unknown>) {
  const settled = useSettled(text);
  const { error, isFetching } = useQuery({
    queryKey: ["check", settled],
    queryFn: async ({ signal }) => {
      await check(settled, signal);
      return true;
    },
    retry: false,
    staleTime: 30_000,
    gcTime: 0,
  });
  const waiting = settled !== text || isFetching;
  const problems: ProblemDetail[] =
    error instanceof ApiError && !waiting ? (error.details.length > 0 ? error.details : [{ detail: error.message, pointer: "", line: 1 }]) : NOTHING;
  return { waiting, problems, refused: error !== null && !waiting };
}

const NOTHING: ProblemDetail[] = [];

interface Props {
  text: string;
  onChange: (text: string) => void;
  view: View;
  onView: (view: View) => void;
  kind: string;
  waiting: boolean;
  problems: readonly ProblemDetail[];
}

/** Form and YAML of one draft, and what is wrong with it. */
export function Draft({ text, onChange, view, onView, kind, waiting, problems }: Props) {
  const components = useSchema();
  const root = { $ref: `#/components/schemas/${kind}` };
  const errorAt = (pointer: string) => problems.find((problem) => problem.pointer === pointer)?.detail;
  return (
    <div className={styles.draft}>
      <div className={styles.bar}>
        <Segmented label="Edit as" value={view} choices={VIEWS} onChange={onView} />
        <p role="status" className={problems.length > 0 ? "bad" : "muted"}>
          {waiting ? "Checking…" : problems.length === 0 ? "The declaration is accepted as it stands." : `${problems.length} ${problems.length === 1 ? "thing is" : "things are"} wrong`}
        </p>
      </div>
      {view === "form" ? (
        <Form text={text} onChange={onChange} errorAt={errorAt} choices={(path) => (components === undefined ? [] : valuesFor(schemaAt(root, components, path)))} />
      ) : (
        <YamlEditor value={text} onChange={onChange} problems={problems} components={components} kind={kind} label="Declaration as YAML" />
      )}
      {problems.length > 0 && (
        <ul className={styles.problems} aria-label="What is wrong">
          {problems.map(({ line, pointer, detail }) => (
            <li key={`${pointer ?? ""} ${detail}`}>
              <Icon name="triangle" />
              <span>
                {line != null && <span className="muted">line {line} </span>}
                {pointer !== undefined && pointer !== "" && <code>{pointer} </code>}
                {detail}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
