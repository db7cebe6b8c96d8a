import { describe, expect, it } from "vitest";
import type { Heatmap } from "../api/types";
import { bucketAt, inWords, most, peaks, shown } from "./heat";

const HEAT: Heatmap = {
  buckets: [
    [0, 0.1],
    [0.1, 0.2],
    [0.2, 0.4],
    [0.4, null],
  ],
  columns: [
    [10, [0, 8, 2, 0]],
    [20, [0, 0, 0, 0]],
    [30, [0, 1, 18, 1]],
  ],
};

describe("a heatmap", () => {
  it("draws no rows that were never used", () => {
    expect(shown(HEAT)).toEqual({ first: 1, last: 3 });
    expect(most(HEAT)).toBe(18);
    expect(shown({ buckets: [[0, 1]], columns: [] })).toEqual({ first: 0, last: -1 });
  });

  it("finds the bucket of a share, and none where nothing was measured", () => {
    expect(bucketAt([0, 8, 2, 0], 0.5)).toBe(1);
    expect(bucketAt([0, 8, 2, 0], 0.95)).toBe(2);
    expect(bucketAt([0, 0], 0.5)).toBe(-1);
  });

  it("reads as lines and as a sentence; the open bucket answers with its lower edge", () => {
    expect(peaks(HEAT)[2]?.points).toEqual([
      [10, 0.4],
      [20, null],
      [30, 0.4],
    ]);
    const moment = (time: number) => `at ${time}`;
    expect(inWords(HEAT, 0, "s", moment)).toBe("at 10: 10 measured, half within 200 ms, 95 % within 400 ms");
    expect(inWords(HEAT, 1, "s", moment)).toBe("at 20: nothing was measured");
  });
});
