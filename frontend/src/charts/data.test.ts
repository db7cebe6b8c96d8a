import { describe, expect, it } from "vitest";
import type { PanelSeries } from "../api/types";
import { columns, latest, scale, stacked } from "./data";

const series = (key: string, points: PanelSeries["points"]): PanelSeries => ({ key, label: key, points });

describe("columns", () => {
  it("puts series of different moments on one axis, with gaps where one is silent", () => {
    const { times, values } = columns([
      series("a", [
        [20, 2],
        [10, 1],
      ]),
      series("b", [
        [20, null],
        [30, 0],
      ]),
    ]);
    expect(times).toEqual([10, 20, 30]);
    expect(values).toEqual([
      [1, 2, null],
      [null, null, 0],
    ]);
  });
});

describe("stacked", () => {
  it("adds up, and keeps unknown apart from zero", () => {
    const { values } = stacked({
      times: [1, 2, 3],
      values: [
        [1, null, null],
        [2, 5, null],
        [3, 0, null],
      ],
    });
    expect(values).toEqual([
      [1, 0, null],
      [3, 5, null],
      [6, 5, null],
    ]);
  });
});

describe("scale", () => {
  const slo = { label: "SLO", value: 0.5 };

  it("shows a near threshold as a line", () => {
    const { max, drawn, above } = scale([[0.1, 0.2]], [slo], "s");
    expect(drawn).toEqual([slo]);
    expect(above).toEqual([]);
    expect(max).toBeGreaterThan(0.5);
  });

  it("names a far threshold at the top instead of flattening the data", () => {
    const { max, drawn, above } = scale([[0.01, null, 0.02]], [slo], "s");
    expect(drawn).toEqual([]);
    expect(above).toEqual([slo]);
    expect(max).toBeLessThan(0.03);
  });

  it("gives an axis to nothing but nulls, and whole steps to whole things", () => {
    expect(scale([[null]], [slo], "s").drawn).toEqual([slo]);
    expect(scale([[0, null]], [], "tokens/s").max).toBe(1);
    expect(scale([[2]], [], "replicas").max).toBe(3);
    expect(scale([[0.9]], [], "1").max).toBe(1);
  });
});

describe("the scale of a price of tokens", () => {
  const day = Array.from({ length: 40 }, (_, at) => 0.5 + (at % 4) / 10);

  it("leaves out what costs thousands while nothing is served, and says so", () => {
    const { max, cut } = scale([[...day, 3400, 20, null]], [], "USD/Mtok");
    expect(max).toBeLessThan(6);
    expect(cut).toEqual({ moments: 2, most: 3400 });
  });

  it("shows all where a quiet night costs a few times as much, and where it is idle for most of the time", () => {
    expect(scale([[...day, 3, 3.5]], [], "USD/Mtok")).toMatchObject({ max: 3.5 * 1.15 });
    expect(scale([[...day, 3, 3.5]], [], "USD/Mtok").cut).toBeUndefined();
    expect(scale([[900, 1000, 1100, 0.5]], [], "USD/Mtok").cut).toBeUndefined();
  });

  it("measures each series by itself, and counts a moment once", () => {
    const all = day.map((value) => value / 10);
    expect(scale([all, day], [], "USD/Mtok").cut).toBeUndefined();
    expect(scale([[...all, 500], [...day, 5000]], [], "USD/Mtok").cut).toEqual({ moments: 1, most: 5000 });
  });

  it("is of no other unit", () => expect(scale([[...day, 3400]], [], "s").cut).toBeUndefined());
});

describe("the scale of counts beside an estimate", () => {
  it("is ruled by what was counted where a first guess is far off, and says so", () => {
    expect(scale([[0, 1, 2], [23, 1.5, 1.8]], [], "replicas", 1)).toMatchObject({ max: 7, cut: { moments: 1, most: 23 } });
  });

  it("shows an estimate that is of the same kind, and never leaves out what was counted", () => {
    expect(scale([[2, 2, 4], [5, 6, 9.9]], [], "replicas", 1)).toMatchObject({ max: 12 });
    expect(scale([[2, 2, 40], [5, 6, 9]], [], "replicas", 1).cut).toBeUndefined();
    expect(scale([[2, 2, 40], [5, 6, 9]], [], "replicas", 1).max).toBe(46);
  });
});

describe("latest", () => {
  it("is the newest known value", () => {
    expect(latest([1, 0, null])).toBe(0);
    expect(latest([null])).toBeNull();
  });
});
