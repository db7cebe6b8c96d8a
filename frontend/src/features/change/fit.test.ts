import { describe, expect, it } from "vitest";
import { fit, offers } from "./fit";

const GIB = 1024 ** 3;
const LLAMA_8B = { parameters: 8_030_261_248, layers: 32, kvHeads: 8, headDim: 128, dtype: "bfloat16" };
const LLAMA_70B = { parameters: 70_553_706_496, layers: 80, kvHeads: 8, headDim: 128, dtype: "bfloat16" };

describe("does it fit", () => {
  it("counts weights, and 128 KiB of cache a token for Llama 8B", () => {
    const found = fit(LLAMA_8B, 141 * GIB, 1, 16_384);
    expect(found.weights).toBe(8_030_261_248 * 2);
    expect(found.tokens).toBeGreaterThan(900_000);
    expect(found.tokens).toBeLessThan(1_000_000);
    expect(found.requests).toBe(Math.floor(found.tokens! / 16_384));
  });

  it("says no where the weights alone are too large", () => expect(fit(LLAMA_70B, 80 * GIB, 1, 8192)).toMatchObject({ fits: false, tokens: 0 }));

  it("does not split a KV head", () => {
    const few = { ...LLAMA_8B, kvHeads: 2 };
    expect(fit(few, 80 * GIB, 8, 8192).tokens).toBeLessThan(fit({ ...few, kvHeads: 1 }, 80 * GIB, 4, 8192).tokens! * 3);
  });

  it("promises nothing about a model of unknown size", () =>
    expect(fit({ ...LLAMA_8B, parameters: null }, 80 * GIB, 1, 8192)).toEqual({ fits: true, weights: null, tokens: null, requests: null }));
});

it("offers the smallest size that fits, the cheapest first, and what fits nowhere last", () => {
  const found = offers(
    LLAMA_70B,
    [
      { name: "h200", memoryBytes: 141 * GIB, price: "3.20 USD/h", resource: "nvidia.com/gpu" },
      { name: "h100", memoryBytes: 80 * GIB, price: "2.00 USD/h", resource: "nvidia.com/gpu" },
      { name: "t4", memoryBytes: 8 * GIB, price: "0.30 USD/h", resource: "nvidia.com/gpu" },
      { name: "cpu", memoryBytes: 64 * GIB, price: null, resource: null },
    ],
    8192,
  );
  expect(found.map(({ accelerator, tensor, fit: { fits } }) => [accelerator, tensor, fits])).toEqual([
    ["h100", 2, true],
    ["h200", 2, true],
    ["t4", 8, false],
  ]);
});
