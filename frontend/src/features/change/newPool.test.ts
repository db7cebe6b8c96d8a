import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { newDocuments, type Wish } from "./newPool";

const wish: Wish = {
  team: "search",
  name: "rank",
  model: "llama",
  cluster: "embedded",
  namespace: "serving",
  accelerator: "nvidia-h200",
  tensor: 1,
  context: 8192,
  min: 0,
  max: 3,
  autoscaling: "off",
  hasSlo: true,
  ttft: "500ms",
  itl: "50ms",
  fraction: "95%",
  window: "28d",
};
const documents = (given: Partial<Wish>) => parseAllDocuments(newDocuments({ ...wish, ...given })).map((one) => (one as { toJS: () => any }).toJS());

it("declares the pool and its SLO", () => {
  const [pool, slo] = documents({});
  expect(pool.metadata).toEqual({ name: "rank", team: "search" });
  expect(pool.spec.variants).toEqual([{ name: "h200", accelerator: "nvidia-h200", replicas: { min: 0, max: 3 } }]);
  expect(pool.spec.engine.args).toEqual(["--max-model-len=8192"]);
  expect(slo.spec).toEqual({
    targetRef: { kind: "Pool", name: "rank" },
    objectives: [
      { metric: "ttft", threshold: "500ms", fraction: "95%", window: "28d" },
      { metric: "itl", threshold: "50ms", fraction: "95%", window: "28d" },
    ],
  });
});

it("says what is not a default, and nothing else", () => {
  expect(documents({ hasSlo: false })).toHaveLength(1);
  expect(documents({})[0].spec).not.toHaveProperty("autoscaling");
  expect(documents({ autoscaling: "active" })[0].spec.autoscaling).toEqual({ mode: "active" });
  expect(documents({ tensor: 4 })[0].spec.variants[0].parallelism).toEqual({ tensor: 4 });
});
