import { describe, expect, it } from "vitest";
import { fromInput, readTimeView, toInput, windowAt } from "./timeRange";

const NOON = Date.UTC(2026, 10, 23, 12) / 1000;

describe("the stretch of time in the address", () => {
  it("keeps what makes sense", () => {
    expect(readTimeView({ range: "6h", tz: "utc" })).toEqual({ range: "6h", tz: "utc" });
    expect(readTimeView({ range: "6y", tz: "mars" })).toEqual({});
    expect(readTimeView({ from: String(NOON), to: NOON + 600, range: "6h" })).toEqual({ from: NOON, to: NOON + 600 });
    expect(readTimeView({ from: NOON, to: NOON - 600 })).toEqual({});
    expect(readTimeView({ from: Number.NaN, to: NOON })).toEqual({});
  });

  it("looks back from now, or stands still", () => {
    expect(windowAt({}, "1h", NOON * 1000)).toEqual({ from: NOON - 3600, to: NOON });
    expect(windowAt({ range: "15m" }, "1h", NOON * 1000)).toEqual({ from: NOON - 900, to: NOON });
    expect(windowAt({ from: 60, to: 120 }, "1h", NOON * 1000)).toEqual({ from: 60, to: 120 });
  });

  it.each(["utc", "local"] as const)("goes into an input and back (%s)", (zone) => {
    expect(fromInput(toInput(NOON, zone), zone)).toBe(NOON);
  });

  it("does not take nonsense for a moment", () => expect(fromInput("soon", "utc")).toBeUndefined());
});
