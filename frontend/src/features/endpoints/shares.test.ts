import { expect, it } from "vitest";
import { sharesOf } from "./shares";

const spec = {
  cluster: "embedded",
  namespace: "serving",
  models: [{ name: "chat", backends: [{ pool: "blue", weight: 90 }, { pool: "green", weight: 10, adapter: "sql" }], failover: ["spare"] }],
};

it("gives each backend its part of the requests, and fail-overs their turn", () => {
  const shares = sharesOf({ spec, status: { pools: [{ name: "blue", ready: 2 }] } });
  expect(shares.map(({ pool, role, share, ready }) => [pool, role, share, ready])).toEqual([
    ["blue", "backend", 0.9, 2],
    ["green", "backend", 0.1, null],
    ["spare", "failover", 0, null],
  ]);
  expect(shares[1]?.adapter).toBe("sql");
});

it("knows of no replica before the first status", () => {
  expect(sharesOf({ spec, status: {} }).every(({ ready }) => ready === null)).toBe(true);
});
