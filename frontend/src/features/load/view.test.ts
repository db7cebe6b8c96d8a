import { describe, expect, it } from "vitest";
import type { Load } from "../../api/loads";
import { codeInWords, earlierThan, formOf, readLoads, START, wishOf } from "./view";

const ID = "0f3c0000-0000-0000-0000-000000000001";

describe("the address", () => {
  it("holds the loads that are shown, and nothing else", () => {
    expect(readLoads({ load: ID, beside: ID, other: 1 })).toEqual({ load: ID, beside: ID });
    expect(readLoads({ load: "javascript:1", beside: 7 })).toEqual({});
  });
});

describe("the form", () => {
  it("leaves to the server what was left empty", () => {
    expect(wishOf(START)).toEqual({ rate: 5, pattern: "steady", duration: "2m", shape: "chat" });
  });

  it("asks by users or by rate, never by both", () => {
    expect(wishOf({ ...START, by: "users", users: 3, pause: " " })).toEqual({ users: 3, pause: "0s", duration: "2m", shape: "chat" });
  });

  it("asks for an earlier one again", () => {
    const wish = wishOf({ ...START, label: "x", promptTokens: "300", outputTokens: "8", pattern: "ramp" });
    expect(wishOf(formOf({ request: wish, label: "x" }))).toEqual(wish);
  });
});

describe("what a load is held against", () => {
  const load = (id: string, createdAt: string, status: Load["status"], ok: number) => ({ id, createdAt, status, measured: { ok } }) as unknown as Load;
  const loads = [load("d", "2026-11-26T04:00:00Z", "running", 9), load("c", "2026-11-26T03:00:00Z", "done", 5), load("b", "2026-11-26T02:00:00Z", "failed", 0), load("a", "2026-11-26T01:00:00Z", "stopped", 4)];

  it("is the newest earlier one that was answered", () => {
    expect(earlierThan(loads[1]!, loads)?.id).toBe("a");
    expect(earlierThan(loads[3]!, loads)).toBeUndefined();
  });

  it("is rather one that went to its end than a newer one that was lost or stopped", () => {
    const all = [load("e", "2026-11-26T05:00:00Z", "done", 5), load("x", "2026-11-26T04:30:00Z", "lost", 3), ...loads.slice(1)];
    expect(earlierThan(all[0]!, all)?.id).toBe("c");
    expect(earlierThan(all[0]!, [all[0]!, all[1]!, loads[3]!])?.id).toBe("a");
    expect(earlierThan(all[0]!, all.slice(0, 2))?.id).toBe("x");
  });
});

it("says what failed", () => {
  expect(codeInWords("503")).toBe("HTTP 503");
  expect(codeInWords("cut")).toBe("the answer was cut");
});
