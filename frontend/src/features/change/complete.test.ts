import { describe, expect, it } from "vitest";
import { keysFor, pathAt, schemaAt, valuesFor, type Components } from "./complete";

const components: Components = {
  Pool: { properties: { spec: { $ref: "#/components/schemas/Spec" } } },
  Spec: { properties: { variants: { type: "array", items: { $ref: "#/components/schemas/Variant" } }, picker: { type: "boolean" } } },
  Variant: { properties: { name: { type: "string" }, role: { enum: ["both", "prefill"] }, replicas: { anyOf: [{ $ref: "#/components/schemas/Bounds" }, { type: "null" }] } } },
  Bounds: { description: "How many.", properties: { min: { type: "integer" } } },
};
const root = { $ref: "#/components/schemas/Pool" };
const TEXT = ["kind: Pool", "spec:", "  # a remark", "  variants:", "    - name: a", "      role: both", "      replicas:", "        min: 1", "  picker: true", "  "];

describe("where a line of YAML stands", () => {
  it.each([
    [1, []],
    [3, ["spec"]],
    [4, ["spec", "variants", "[]"]],
    [5, ["spec", "variants", "[]"]],
    [7, ["spec", "variants", "[]", "replicas"]],
    [9, ["spec"]],
  ])("line %i", (line, path) => expect(pathAt(TEXT, line)).toEqual(path));
});

describe("what may stand there", () => {
  it("names the keys, through references and nullable ones", () => {
    expect(keysFor(schemaAt(root, components, ["spec", "variants", "[]"]), components).map(({ label, info }) => [label, info])).toEqual([
      ["name", ""],
      ["role", ""],
      ["replicas", "How many."],
    ]);
    expect(keysFor(schemaAt(root, components, ["spec", "variants", "[]", "replicas"]), components).map(({ label }) => label)).toEqual(["min"]);
    expect(keysFor(schemaAt(root, components, ["nowhere"]), components)).toEqual([]);
  });

  it("names the values of a choice", () => {
    expect(valuesFor(schemaAt(root, components, ["spec", "variants", "[]", "role"]))).toEqual(["both", "prefill"]);
    expect(valuesFor(schemaAt(root, components, ["spec", "picker"]))).toEqual(["true", "false"]);
  });
});
