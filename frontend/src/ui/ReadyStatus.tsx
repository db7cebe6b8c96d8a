import type { Condition } from "../api/types";
import { Status } from "./Status";

/** The summary condition of a declared object, as shape and word; its sentence as a tooltip. */
export function ReadyStatus({ conditions }: { conditions: Condition[] | undefined }) {
  const ready = conditions?.find(({ type }) => type === "Ready");
  if (ready === undefined || ready.status === "Unknown") return <Status icon="question" tone="none" word="Unknown" label="Ready" />;
  if (ready.status === "True") return <Status icon="check" tone="ok" word="Ready" label="Status" />;
  if (ready.reason === "Pending") return <Status icon="half" tone="info" word="Pending" label="Status" />;
  return <Status icon="triangle" tone="bad" word={ready.reason} label="Status" />;
}

export function readySentence(conditions: Condition[] | undefined): string {
  return conditions?.find(({ type }) => type === "Ready")?.message ?? "";
}
