import { useQuery } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { VERBS } from "../../api/decisions";
import { teamsQuery } from "../../api/queries";
import { zoneOf } from "../../lib/timeRange";
import { Field, fieldRow } from "../../ui/Field";
import { Page } from "../../ui/Page";
import { useTimeView } from "../../ui/TimeControl";
import { Decisions } from "./Decisions";
import { readDecisionFilter } from "./view";

const route = getRouteApi("/shell/decisions");

/** Of all pools. */
export function DecisionsPage() {
  const filter = readDecisionFilter({ ...route.useSearch() });
  const navigate = route.useNavigate();
  const { data: teams } = useQuery(teamsQuery);
  const show = (change: Record<string, string>) => void navigate({ search: readDecisionFilter({ ...filter, ...change }), replace: true });
  return (
    <Page title="Decisions">
      <div className={fieldRow}>
        <Field label="Team">
          <select value={filter.team ?? ""} onChange={({ target }) => show({ team: target.value })}>
            <option value="">All teams</option>
            {(teams?.items ?? []).map(({ name }) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </Field>
        <Field label="Pool">
          <input type="search" value={filter.pool ?? ""} placeholder="all; needs a team" onChange={({ target }) => show({ pool: target.value })} />
        </Field>
        <Field label="Decision">
          <select value={filter.verb ?? ""} onChange={({ target }) => show({ verb: target.value })}>
            <option value="">All</option>
            {VERBS.map((verb) => (
              <option key={verb} value={verb}>
                {verb === "moves" ? "all but holds" : verb}
              </option>
            ))}
          </select>
        </Field>
      </div>
      <Decisions filter={filter} zone={zoneOf(useTimeView()[0])} />
    </Page>
  );
}
