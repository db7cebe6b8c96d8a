import { expect, it } from "vitest";
import { counts } from "./DecisionRow";
import { readDecisionFilter, replayInWords } from "./view";

it("keeps what decisions can be narrowed by", () => {
  expect(readDecisionFilter({ team: "search", pool: "chat", verb: "from-zero" })).toEqual({ team: "search", pool: "chat", verb: "from-zero" });
  expect(readDecisionFilter({ team: "../x", pool: "", verb: "sideways" })).toEqual({});
});

it("says how many of what, and how many of them sleep", () =>
  expect(counts([{ variant: "h200", replicas: 3, asleep: 1 }, { variant: "l40s", replicas: 0 }])).toBe("h200 3 (1 asleep), l40s 0"));

it("says why an old decision is not compared, instead of that it comes out otherwise", () => {
  const same = { id: 1, comparable: true, reason: null, equal: true, differs: [] };
  expect(replayInWords(same)).toBe("The same inputs give the same decision.");
  expect(replayInWords({ ...same, equal: false, differs: ["targets", "rules"] })).toBe("It comes out otherwise in: targets, rules.");
  expect(replayInWords({ ...same, comparable: false, reason: "It was made by version 1.", equal: false })).toBe("It was made by version 1.");
});
