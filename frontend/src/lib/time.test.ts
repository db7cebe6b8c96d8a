import { describe, expect, it } from "vitest";
import { absolute, age, byDay, clock, millis } from "./time";

const AT = Date.UTC(2026, 10, 23, 14, 3, 10);

describe("moments", () => {
  it("reads ISO text and unix seconds alike", () => {
    expect(millis("2026-11-23T14:03:10Z")).toBe(AT);
    expect(millis(AT / 1000)).toBe(AT);
    expect(millis("yesterday")).toBeNull();
    expect(millis(null)).toBeNull();
  });

  it("prints UTC when asked", () => {
    expect(clock(AT, "utc")).toBe("14:03:10");
    expect(clock(AT, "utc", false)).toBe("14:03");
    expect(absolute(AT, "utc")).toBe("23 Nov 2026, 14:03:10 UTC");
  });
});

describe("age", () => {
  it.each([
    [0, "0 s"],
    [59_999, "59 s"],
    [60_000, "1 min"],
    [3 * 3_600_000 + 120_000, "3 h"],
    [12 * 86_400_000, "12 d"],
    [-5000, "0 s"],
  ])("%d ms ago reads %s", (elapsed, text) => expect(age(AT - elapsed, AT)).toBe(text));

  it("is a dash when unknown", () => expect(age(null, AT)).toBe("—"));
});

it("gathers what happened on one day of the zone, in the order given", () => {
  const moments = ["2026-11-26T00:10:00Z", "2026-11-25T23:59:59Z", "2026-11-25T07:00:00Z"];
  expect(byDay(moments, (one) => one, "utc").map(({ day, items }) => [day, items.length])).toEqual([
    ["Thursday, 26 November 2026", 1],
    ["Wednesday, 25 November 2026", 2],
  ]);
});
