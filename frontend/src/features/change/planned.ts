import type { Plan } from "../../api/plans";

/** What is told when a plan that was asked for is there. */
export const readyInWords = ({ id, summary }: Pick<Plan, "id" | "summary">): string =>
  `${id === null ? "The plan" : `Plan ${id}`} is ready: ${summary.sentence}`;
