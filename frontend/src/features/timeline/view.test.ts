import { expect, it } from "vitest";
import { deed, readTimelineFilter, shown } from "./view";

it("keeps what the timeline can be narrowed by", () => {
  expect(readTimelineFilter({ team: "search", name: "chat", source: "change", colour: "red" })).toEqual({ team: "search", name: "chat", source: "change" });
  expect(readTimelineFilter({ source: "moon", type: "Normal", team: "" })).toEqual({});
});

it("says what was done", () => {
  expect(deed({ title: "update", kind: "Pool" })).toBe("changed Pool");
  expect(deed({ title: "rollback", kind: "Pool" })).toBe("rollback Pool");
});

it("shows a value in one line", () => {
  expect(shown(null)).toBe("nothing");
  expect(shown(["--max-model-len=16384"])).toBe('["--max-model-len=16384"]');
  expect(shown("x".repeat(500))).toHaveLength(118);
});
