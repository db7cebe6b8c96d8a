import { describe, expect, it } from "vitest";
import { extent, ticks } from "./xy";

describe("axes", () => {
  it("start at zero, end a little above, and have round marks", () => {
    const axis = extent([3, 9.7]);
    expect(axis.low).toBe(0);
    expect(axis.high).toBeGreaterThan(9.7);
    expect(ticks(axis, 4)).toEqual([0, 5, 10]);
  });

  it("may start elsewhere, and never without room", () => {
    expect(extent([0.95, 0.99], 0.9).low).toBe(0.9);
    expect(extent([], 0)).toMatchObject({ low: 0, high: 1.05 });
    expect(extent([5], 5).high).toBeGreaterThan(5);
  });

  it("spread evenly by factors where they are logarithmic", () => {
    expect(ticks(extent([1, 100], 0, true), 3).map((one) => Math.round(one))).toEqual([1, 10, 100]);
  });
});
