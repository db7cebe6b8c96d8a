import { expect, it } from "vitest";
import { deed, ledTo, moves, readTimelineFilter, shown } from "./view";

it("keeps what the timeline can be narrowed by", () => {
  expect(readTimelineFilter({ team: "search", name: "chat", source: "change", colour: "red" })).toEqual({ team: "search", name: "chat", source: "change" });
  expect(readTimelineFilter({ source: "moon", type: "Normal", team: "" })).toEqual({});
});

it("says what was done", () => {
  const parts = [{ pointer: "/spec/model", before: "a", after: "b" }];
  expect(deed({ title: "update", kind: "Pool", parts })).toBe("changed Pool");
  expect(deed({ title: "rollback", kind: "Pool", parts: [] })).toBe("rollback Pool");
});

it("does not call a load a change of the pool", () => {
  const load = (before: unknown) => deed({ title: "update", kind: "Pool", parts: [{ pointer: "/load", before, after: "x" }] });
  expect(load(null)).toBe("sent a load to Pool");
  expect(load("9 requests/s")).toBe("stopped the load of Pool");
});

it("says what was scaled, and no generation of it", () => {
  const parts = [{ pointer: "/targets/h200", before: 2, after: 3 }, { pointer: "/targets/a100", before: null, after: 1 }];
  const scaled = { title: "update", kind: "Pool", generation: 4, parts };
  expect([deed(scaled), moves(scaled), ledTo(scaled)]).toEqual(["scaled Pool", "h200 2 → 3, a100 nothing → 1", undefined]);
});

it("names the generation of a change of a declaration only", () => {
  const change = { title: "update", generation: 4, parts: [{ pointer: "/spec/model", before: "a", after: "b" }] };
  expect([moves(change), ledTo(change)]).toEqual([undefined, 4]);
  expect(ledTo({ ...change, title: "delete", parts: [] })).toBeUndefined();
  for (const pointer of ["/load", "/targets/h200", "/tierPlan/reason"]) {
    expect(ledTo({ ...change, parts: [{ pointer, before: null, after: "x" }] })).toBeUndefined();
  }
  expect(ledTo({ ...change, parts: [{ pointer: "/spec/load", before: null, after: "x" }] })).toBe(4);
});

it("shows a value in one line", () => {
  expect(shown(null)).toBe("nothing");
  expect(shown(["--max-model-len=16384"])).toBe('["--max-model-len=16384"]');
  expect(shown("x".repeat(500))).toHaveLength(118);
});
