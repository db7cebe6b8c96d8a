import { describe, expect, it } from "vitest";
import { compact, counted, duration, format, money, percent, seconds, UNKNOWN } from "./units";

describe("seconds", () => {
  it.each([
    [0, "0 ms"],
    [0.000_34, "340 µs"],
    [0.0123, "12.3 ms"],
    [0.5, "500 ms"],
    [0.9999, "1 s"],
    [1.25, "1.25 s"],
    [90, "90 s"],
    [125, "2 min 5 s"],
  ])("%d reads %s", (value, text) => expect(seconds(value)).toBe(text));
});

describe("compact", () => {
  it.each([
    [0, "0"],
    [0.0421, "0.042"],
    [999, "999"],
    [999.6, "1k"],
    [1234, "1.23k"],
    [45_600_000, "45.6M"],
  ])("%d reads %s", (value, text) => expect(compact(value)).toBe(text));
});

describe("duration", () => {
  it.each([
    [0, "0 s"],
    [-3, "0 s"],
    [59.9, "59 s"],
    [3600, "1 h"],
    [11_400, "3 h 10 min"],
    [352_800, "4 d 2 h"],
  ])("%d reads %s", (value, text) => expect(duration(value)).toBe(text));
});

describe("format", () => {
  it("shows unknown as a dash, never as zero", () => {
    for (const unknown of [null, undefined, Number.NaN, Infinity]) expect(format(unknown, "s")).toBe(UNKNOWN);
    expect(money(null)).toBe(UNKNOWN);
    expect(format(0, "requests/s")).toBe("0 req/s");
  });

  it("shows a share as percent", () => {
    expect(format(0.625, "1")).toBe("62.5 %");
    expect(percent(1)).toBe("100 %");
  });

  it("shows bandwidth in decimal units, as buses and volumes are sold", () => {
    expect(format(41.6e9, "B/s")).toBe("41.6 GB/s");
    expect(format(950, "B/s")).toBe("950 B/s");
    expect(format(0, "B/s")).toBe("0 B/s");
  });

  it("prints a unit it does not know", () => expect(format(1500, "blocks")).toBe("1.5k blocks"));
});

it("counts parameters as models are called", () => {
  expect([counted(8_030_261_248), counted(494_000_000)]).toEqual(["8.03B", "494M"]);
});
