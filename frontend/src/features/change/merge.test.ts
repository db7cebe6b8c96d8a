import { describe, expect, it } from "vitest";
import { merge, type Json } from "./merge";

const base: Json = { engine: { image: "a", args: ["x"] }, variants: [{ name: "h200", replicas: { min: 1, max: 2 } }] };
const changed = (change: (spec: any) => void): Json => {
  const copy = structuredClone(base);
  change(copy);
  return copy;
};

describe("a three-way merge", () => {
  it("has nothing to do where one side changed nothing", () => {
    const theirs = changed((spec) => (spec.engine.image = "b"));
    expect(merge(base, base, theirs)).toEqual({ edits: [], conflicts: [] });
    expect(merge(base, theirs, theirs)).toEqual({ edits: [], conflicts: [] });
  });

  it("keeps both sides' changes at different places, also inside of one named row", () => {
    const mine = changed((spec) => (spec.variants[0].replicas.max = 5));
    const theirs = changed((spec) => {
      spec.engine.image = "b";
      spec.variants[0].replicas.min = 2;
    });
    expect(merge(base, mine, theirs)).toEqual({ edits: [{ path: ["variants", 0, "replicas", "max"], value: 5 }], conflicts: [] });
  });

  it("names the very places, not what holds them", () => {
    const mine = changed((spec) => (spec.engine.image = "b"));
    expect(merge(base, mine, base).edits).toEqual([{ path: ["engine", "image"], value: "b" }]);
  });

  it("does not choose where both changed one place", () => {
    const found = merge(base, changed((spec) => (spec.engine.image = "b")), changed((spec) => (spec.engine.image = "c")));
    expect(found).toEqual({ edits: [], conflicts: [{ path: ["engine", "image"], mine: "b", theirs: "c" }] });
  });

  it("takes plain lists as one value", () => {
    const found = merge(base, changed((spec) => spec.engine.args.push("y")), changed((spec) => spec.engine.args.push("z")));
    expect(found.conflicts).toEqual([{ path: ["engine", "args"], mine: ["x", "y"], theirs: ["x", "z"] }]);
  });

  it("carries what was taken out", () => {
    const mine = changed((spec) => delete spec.engine.args);
    const theirs = changed((spec) => (spec.engine.image = "b"));
    expect(merge(base, mine, theirs).edits).toEqual([{ path: ["engine", "args"], value: undefined }]);
  });

  it("does not guess which row is which when rows came or went", () => {
    const mine = changed((spec) => spec.variants.push({ name: "l40s" }));
    const theirs = changed((spec) => (spec.variants[0].replicas.max = 9));
    expect(merge(base, mine, theirs).conflicts).toHaveLength(1);
  });
});
