import { describe, expect, it } from "vitest";
import { row } from "../../test/fixtures";
import { arrange, readFleetView, sortBy } from "./view";

const names = (groups: ReturnType<typeof arrange>) => groups.flatMap(({ rows }) => rows.map(({ name }) => name));

const ROWS = [
  row({ name: "pool-10", ttftP95: 0.2, team: "search" }),
  row({ name: "pool-2", ttftP95: null, health: "Degraded" }),
  row({ name: "chat", ttftP95: 0.1, model: "qwen" }),
];

describe("arrange", () => {
  it("sorts by name as people count", () => expect(names(arrange(ROWS, {}))).toEqual(["chat", "pool-2", "pool-10"]));

  it("keeps unknown last in both directions", () => {
    expect(names(arrange(ROWS, { sort: "ttft" }))).toEqual(["chat", "pool-10", "pool-2"]);
    expect(names(arrange(ROWS, { sort: "ttft", order: "desc" }))).toEqual(["pool-10", "chat", "pool-2"]);
  });

  it("puts first what needs a person", () => expect(names(arrange(ROWS, { sort: "health" }))[0]).toBe("pool-2"));

  it("filters by every word, wherever it stands", () => {
    expect(names(arrange(ROWS, { q: "QWEN embedded" }))).toEqual(["chat"]);
    expect(names(arrange(ROWS, { q: "qwen degraded" }))).toEqual([]);
    expect(names(arrange(ROWS, { q: "search" }))).toEqual(["pool-10"]);
  });

  it("groups by team", () => {
    const groups = arrange(ROWS, { group: "team" });
    expect(groups.map(({ title, rows }) => [title, rows.length])).toEqual([
      ["default", 2],
      ["search", 1],
    ]);
  });

  it("does not change what it is given", () => {
    const before = ROWS.map(({ name }) => name);
    arrange(ROWS, { sort: "ttft", order: "desc", group: "team" });
    expect(ROWS.map(({ name }) => name)).toEqual(before);
  });
});

describe("the address", () => {
  it("drops words that it does not know", () => {
    expect(readFleetView({ sort: "colour", order: "up", group: "moon", q: 42, evil: "x" })).toEqual({ q: "42" });
  });

  it("turns a column around at the second click and starts anew on another", () => {
    const once = sortBy({ q: "x" }, "ttft");
    expect(once).toEqual({ q: "x", sort: "ttft" });
    const twice = sortBy(once, "ttft");
    expect(twice).toEqual({ q: "x", sort: "ttft", order: "desc" });
    expect(sortBy(twice, "ttft")).toEqual({ q: "x", sort: "ttft" });
    expect(sortBy(twice, "cost")).toEqual({ q: "x", sort: "cost" });
  });
});
