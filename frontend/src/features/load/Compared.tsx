import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { comparisonQuery, type Comparison, type Load } from "../../api/loads";
import { format, percent } from "../../lib/units";
import { Field } from "../../ui/Field";
import { Section } from "../../ui/Section";
import { Status } from "../../ui/Status";
import { Table } from "../../ui/Table";
import { Course } from "./Course";
import { nameOf, VERDICTS } from "./view";
import { promiseInWords } from "./Shown";
import styles from "./Load.module.css";

interface Props {
  team: string;
  name: string;
  before: string;
  after: string;
  /** What it may be held against. */
  others: readonly Load[];
  onChoose: (before: string) => void;
}

/** What users got before a change, and after it. */
export function Compared({ team, name, before, after, others, onChoose }: Props) {
  const read = useQuery(comparisonQuery(team, name, before, after));
  const { data } = read;
  return (
    <Section
      title="Before and after"
      tools={
        <div className={styles.choose}>
          <Field label="Before">
            <select value={before} onChange={({ target }) => onChoose(target.value)}>
              {others.map((load) => (
                <option key={load.id} value={load.id}>
                  {`${nameOf(load)}, generation ${load.generation}`}
                </option>
              ))}
            </select>
          </Field>
        </div>
      }
      data={data}
      read={read}
    >
      {(found) => <Both team={team} name={name} found={found} />}
    </Section>
  );
}

function Both({ team, name, found }: { team: string; name: string; found: Comparison }) {
  const { sentence, differs, figures, objectives, before, after } = found;
  const sides = [before, after].flatMap((load) => (load.measured === null ? [] : [{ load, measured: load.measured }]));
  return (
    <div className={styles.shown}>
      <p className={styles.said}>{sentence}</p>
      {before.generation !== after.generation && (
        <p>
          <Link to="/teams/$team/pools/$name/revisions" params={{ team, name }} search={pairOf(before.generation, after.generation)}>
            What changed between generation {before.generation} and {after.generation}
          </Link>
        </p>
      )}
      {differs.length > 0 && (
        <ul className={styles.differs} aria-label="How the loads differ">
          {differs.map(({ field, before: one, after: two }) => (
            <li key={field}>
              <code>{field}</code>: {String(one ?? "as usual")} before, {String(two ?? "as usual")} after
            </li>
          ))}
        </ul>
      )}
      {objectives.length > 0 && (
        <Table
          rows={objectives}
          rowKey={({ slo, key }) => `${slo} ${key}`}
          columns={[
            { title: "Promise", cell: ({ metric, threshold }) => promiseInWords(metric, threshold) },
            { title: "Before", cell: ({ before: share, verdictBefore }) => <Kept share={share} verdict={verdictBefore} /> },
            { title: "After", cell: ({ after: share, verdictAfter }) => <Kept share={share} verdict={verdictAfter} /> },
            { title: "Promised", cell: ({ fraction }) => percent(fraction) },
          ]}
        />
      )}
      <Course sides={sides} />
      <Table
        rows={figures}
        rowKey={({ key }) => key}
        columns={[
          { title: "What users got", cell: ({ title }) => title },
          { title: "Before", cell: ({ before: value, unit }) => format(value, unit) },
          { title: "After", cell: ({ after: value, unit }) => format(value, unit) },
          { title: "Change", cell: ({ change }) => (change === null ? "—" : `${change > 0 ? "+" : ""}${percent(change)}`) },
        ]}
      />
    </div>
  );
}

function Kept({ share, verdict }: { share: number | null; verdict: keyof typeof VERDICTS }) {
  const look = VERDICTS[verdict];
  return <Status {...look} word={share === null ? look.word : `${look.word}, ${percent(share)}`} label="Promise" />;
}

const pairOf = (one: number, two: number) => ({ a: Math.min(one, two), b: Math.max(one, two) });
