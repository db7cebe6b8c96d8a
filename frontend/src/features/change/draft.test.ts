import { describe, expect, it } from "vitest";
import { lineOf, read, valueAt, write } from "./draft";

const TEXT = `# why this pool is here
kind: Pool
spec:
  engine:
    image: vllm/vllm-openai:v0.33.0 # pinned
    args: ["--max-model-len=16384"]
  variants:
    - name: h200
      replicas: {min: 2, max: 4}
`;

describe("a draft", () => {
  it("is read as the server reads it: core schema, no surprises", () => {
    expect(read("a: no\nb: 010x\n")).toEqual({ a: "no", b: "010x" });
    expect(read("a: [")).toBeUndefined();
  });

  it("keeps comments and spelling of what the form does not touch", () => {
    const text = write(TEXT, [{ path: ["spec", "variants", 0, "replicas", "max"], value: 6 }]);
    expect(text).toBe(TEXT.replace("max: 4", "max: 6"));
  });

  it("makes places that were not there, and takes others out", () => {
    const text = write(TEXT, [
      { path: ["spec", "autoscaling", "mode"], value: "active" },
      { path: ["spec", "engine", "args"], value: undefined },
    ]);
    expect(valueAt(read(text), ["spec", "autoscaling", "mode"])).toBe("active");
    expect(valueAt(read(text), ["spec", "engine", "args"])).toBeUndefined();
    expect(text).toContain("# pinned");
  });

  it("is left alone while it is no YAML", () => expect(write("a: [", [{ path: ["a"], value: 1 }])).toBe("a: ["));

  it("knows on which line a pointer stands, or what holds it", () => {
    expect(lineOf(TEXT, "/spec/variants/0/replicas/max")).toBe(9);
    expect(lineOf(TEXT, "/spec/engine/image")).toBe(5);
    expect(lineOf(TEXT, "/spec/engine/nothing")).toBe(4);
    expect(lineOf(TEXT, "")).toBe(1);
  });
});
