/** The documents of a new pool, as a person would write them: only what is not a default. Pure. */

import { stringify } from "yaml";

export interface Wish {
  team: string;
  name: string;
  model: string;
  cluster: string;
  namespace: string;
  accelerator: string;
  tensor: number;
  /** Tokens of the longest request. */
  context: number;
  min: number;
  max: number;
  /** Who decides on the replicas within the bounds. */
  autoscaling: "active" | "advisory" | "off";
  hasSlo: boolean;
  ttft: string;
  itl: string;
  fraction: string;
  window: string;
}

const API_VERSION = "lamplight.dev/v1";

/** A variant is named after its accelerator, without the vendor. */
function variantName(accelerator: string): string {
  return accelerator.replace(/^[a-z]+-/, "");
}

export function newDocuments(wish: Wish): string {
  const pool = {
    apiVersion: API_VERSION,
    kind: "Pool",
    metadata: { name: wish.name, team: wish.team },
    spec: {
      model: wish.model,
      cluster: wish.cluster,
      namespace: wish.namespace,
      engine: { args: [`--max-model-len=${wish.context}`] },
      variants: [
        {
          name: variantName(wish.accelerator),
          accelerator: wish.accelerator,
          ...(wish.tensor === 1 ? {} : { parallelism: { tensor: wish.tensor } }),
          replicas: { min: wish.min, max: wish.max },
        },
      ],
      ...(wish.autoscaling === "off" ? {} : { autoscaling: { mode: wish.autoscaling } }),
    },
  };
  const promise = (metric: string, threshold: string) => ({ metric, threshold, fraction: wish.fraction, window: wish.window });
  const slo = {
    apiVersion: API_VERSION,
    kind: "SLO",
    metadata: { name: `${wish.name}-latency`, team: wish.team },
    spec: { targetRef: { kind: "Pool", name: wish.name }, objectives: [promise("ttft", wish.ttft), promise("itl", wish.itl)] },
  };
  return (wish.hasSlo ? [pool, slo] : [pool]).map((document) => stringify(document)).join("---\n");
}
