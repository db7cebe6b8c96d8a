/**
 * Drafts of pools by address, kept while the console is open, so that going to the plan and back loses nothing. Never in
 * the browser's store: what people paste into a declaration may be a secret.
 */

export interface PoolDraft {
  text: string;
  /** What it was made on: the text, and the version it had then. */
  base: string;
  version: number;
}

const drafts = new Map<string, PoolDraft>();

export const draftOf = (team: string, name: string) => drafts.get(`${team}/${name}`);

export function keepDraft(team: string, name: string, draft: PoolDraft | undefined): void {
  if (draft === undefined) drafts.delete(`${team}/${name}`);
  else drafts.set(`${team}/${name}`, draft);
}
