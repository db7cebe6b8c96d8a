import { describe, expect, it } from "vitest";
import type { Attainment, NodeStock } from "../../api/types";
import { worst } from "./slo";
import { stockOf, unheard } from "./stock";

const node = (used: number, free: number, schedulable = true): NodeStock => ({
  node: "n",
  resource: "nvidia.com/gpu",
  product: "H200",
  allocatable: used + free,
  used,
  free,
  schedulable,
});
const clusters = (...nodes: NodeStock[]) => [{ accelerators: [], nodes }];

describe("accelerator stock", () => {
  it("says of whom it does not know", () => {
    expect(unheard([], true)).toBe("");
    expect(unheard(["east"], true)).toBe("without east, which does not answer");
    expect(unheard(["east", "west"], false)).toBe("as last seen: east and west do not answer");
    expect(unheard(["a", "b", "c"], true)).toBe("without 3 clusters, which do not answer");
  });

  it("adds nodes up, and leaves cordoned ones out of what is free", () =>
    expect(stockOf(clusters(node(1, 7), node(8, 0), node(0, 8, false)), 1)).toEqual({ allocatable: 24, used: 9, free: 7, fragmented: 0 }));

  it("calls fragmented what the largest replica cannot use", () =>
    expect(stockOf(clusters(node(5, 3), node(2, 6)), 4)?.fragmented).toBe(3 + 2));

  it("knows nothing where no cluster answered", () => expect(stockOf([], 1)).toBeNull());
});

describe("the objective that speaks for a pool", () => {
  const one = (state: string, budgetLeft: number | null, metric = "ttft") =>
    ({ state, budgetLeft, metric }) as Attainment;

  it("is the worst by state, then by budget", () => {
    expect(worst([one("Met", 0.1), one("AtRisk", 0.5, "itl"), one("AtRisk", 0.2)])).toMatchObject({ state: "AtRisk", metric: "ttft" });
    expect(worst([one("NoData", null), one("Met", 1)])).toMatchObject({ state: "NoData" });
    expect(worst([])).toBeUndefined();
  });
});
