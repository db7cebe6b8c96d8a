import { expect, it } from "vitest";
import { counts } from "./DecisionRow";
import { readDecisionFilter } from "./view";

it("keeps what decisions can be narrowed by", () => {
  expect(readDecisionFilter({ team: "search", pool: "chat", verb: "from-zero" })).toEqual({ team: "search", pool: "chat", verb: "from-zero" });
  expect(readDecisionFilter({ team: "../x", pool: "", verb: "sideways" })).toEqual({});
});

it("says how many of what, and how many of them sleep", () =>
  expect(counts([{ variant: "h200", replicas: 3, asleep: 1 }, { variant: "l40s", replicas: 0 }])).toBe("h200 3 (1 asleep), l40s 0"));
