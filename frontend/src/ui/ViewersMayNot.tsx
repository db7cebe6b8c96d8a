import { Link } from "@tanstack/react-router";
import { EmptyState } from "./Message";

/** In place of a form that the server would refuse. `what`: as in "send any loads". */
export function ViewersMayNot({ what, team }: { what: string; team?: string }) {
  const whose = team === undefined ? "a team" : `team ${team}`;
  return (
    <EmptyState title={`Viewers may look, but not ${what}: an admin of ${whose} can make you an editor.`}>
      <Link to="/settings">See your roles</Link>
    </EmptyState>
  );
}
