import { expect, it } from "vitest";
import { answered, EMPTY, speed, told } from "./chat";

it("grows by the events of its stream", () => {
  let turn = told(EMPTY, "start", { replica: "10.0.0.7:8000", status: 200 });
  turn = told(turn, "message", { at: 0.02, text: "Ray" });
  turn = told(turn, "message", { at: 0.03, text: "leigh" });
  turn = told(turn, "weather", { text: "rain" });
  expect(turn).toMatchObject({ text: "Rayleigh", replica: "10.0.0.7:8000", times: [0.02, 0.03] });
  expect(turn.took).toBeUndefined();
  turn = told(turn, "done", { at: 0.04, finish: "stop", promptTokens: 9, completionTokens: 2, cachedTokens: null });
  expect(turn).toMatchObject({ took: 0.04, finish: "stop", promptTokens: 9, cachedTokens: null });
});

it("is told once it has ended, a long one in part", () => {
  expect(answered({ ...EMPTY, text: "Rayleigh", took: 0.4 })).toBe("The model answered in 400 ms: Rayleigh");
  expect(answered({ ...EMPTY, text: "x".repeat(900), took: 1 })).toMatch(/x{400}… and more$/);
  expect(answered({ ...EMPTY, took: 1 })).toContain("without a word");
});

it("says what went wrong", () => expect(told(EMPTY, "problem", { detail: "away" })).toMatchObject({ problem: "away", took: 0 }));

it("knows its speed once there is something to know", () => {
  expect(speed(EMPTY)).toEqual({ ttft: null, itlMedian: null, itl95: null });
  const { ttft, itlMedian, itl95 } = speed({ ...EMPTY, times: [0.1, 0.2, 0.3, 0.9] });
  expect(ttft).toBe(0.1);
  expect(itlMedian).toBeCloseTo(0.1);
  expect(itl95).toBeCloseTo(0.6);
});
