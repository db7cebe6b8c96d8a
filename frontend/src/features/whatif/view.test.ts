import { describe, expect, it } from "vitest";
import type { Simulation } from "../../api/whatif";
import { ended, nameOf, readWhatIf, START, wishOf } from "./view";

describe("the address", () => {
  it("keeps what makes sense and drops the rest", () => {
    const id = "0197f0c2-0000-7000-8000-000000000000";
    expect(readWhatIf({ pool: "default/chat", a: id, b: "x" })).toEqual({ pool: "default/chat", a: id });
    expect(readWhatIf({ pool: "../chat" })).toEqual({});
  });
});

describe("what is told of simulations", () => {
  it("is their end, once", () => {
    const one = { id: "a", status: "running", label: "slow start", message: "" } as Simulation;
    const done = { ...one, status: "done" as const };
    expect(ended([one], [done], "utc")).toEqual(["The simulation slow start is done."]);
    expect(ended([one], [{ ...one, status: "failed", message: "There is no history." }], "utc")).toEqual(["The simulation slow start failed: There is no history."]);
    expect(ended([done], [done], "utc")).toEqual([]);
    expect(ended([], [done], "utc")).toEqual([]);
    expect(ended([{ ...one, status: "queued" }], [one], "utc")).toEqual([]);
  });
});

describe("the wish", () => {
  it("says nothing of what was left empty", () => {
    expect(wishOf({ ...START, fixedUpTo: 0 })).toEqual({ source: { kind: "history", hours: 1 }, policies: [{ kind: "lamplight" }] });
  });

  it("plays fixed fleets beside the policy for the curve, no more than the server takes", () => {
    const { policies } = wishOf({ ...START, hpa: "queue", fixedUpTo: 20 });
    expect(policies).toHaveLength(8);
    expect(policies?.slice(0, 3)).toEqual([{ kind: "lamplight" }, { kind: "hpa", metric: "queue", target: 5 }, { kind: "static", replicas: 1 }]);
  });

  it("carries promise, start-up, price and load", () => {
    const wish = wishOf({ ...START, label: " slow ", ttft: "1s", fraction: "95", startup: { h200: "300s", h100: "" }, price: { h200: "2.90 USD/h" }, scale: 2 });
    expect(wish).toMatchObject({ label: "slow", slo: { ttft: "1s", fraction: 0.95 }, startup: { h200: { p50: "300s", p90: "300s" } }, price: { h200: "2.90 USD/h" }, scale: 2 });
    expect(wish.startup).not.toHaveProperty("h100");
  });
});

describe("the name of a simulation", () => {
  const createdAt = "2026-11-26T14:03:10Z";

  it("is the one that was given", () => {
    expect(nameOf({ label: "as it is", request: {}, createdAt }, "utc")).toBe("as it is");
  });

  it("else says what was played, how and when, so that two are told apart", () => {
    const request = wishOf({ ...START, hours: 6, fixedUpTo: 3, scale: 2, startup: { h100: "400s" } });
    expect(nameOf({ label: "", request, createdAt }, "utc")).toBe("the last 6 h ×2, Lamplight + fixed 1 to 3, h100 starts in 400s, asked 14:03:10");
    expect(nameOf({ label: "", request: { policies: [{ kind: "hpa", metric: "kv", target: 1 }] }, createdAt }, "utc")).toContain("HPA on kv");
  });
});
