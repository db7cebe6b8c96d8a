/** What the address of the what-if page says, and what its form asks for. Pure. */

import type { Policy, Wish } from "../../api/whatif";

export interface WhatIfView {
  /** team/name */
  pool?: string;
  /** Ids of the simulations that are shown, the second beside the first. */
  a?: string;
  b?: string;
}

const POOL = /^[a-z0-9-]{1,50}\/[a-z0-9-]{1,50}$/;
const ID = /^[0-9a-f-]{36}$/;

export function readWhatIf(search: Record<string, unknown>): WhatIfView {
  const view: WhatIfView = {};
  if (typeof search.pool === "string" && POOL.test(search.pool)) view.pool = search.pool;
  if (typeof search.a === "string" && ID.test(search.a)) view.a = search.a;
  if (typeof search.b === "string" && ID.test(search.b)) view.b = search.b;
  return view;
}

export interface Form {
  label: string;
  source: "history" | "mooncake" | "azure";
  hours: number;
  trace: string;
  isLamplight: boolean;
  /** Fixed fleets of 1 to so many replicas: the curve of cost against attainment. */
  fixedUpTo: number;
  hpa: "" | "queue" | "running" | "kv";
  hpaTarget: number;
  ttft: string;
  tpot: string;
  /** Per cent. */
  fraction: string;
  /** By variant; empty: as measured, as declared. */
  startup: Record<string, string>;
  price: Record<string, string>;
  scale: number;
}

export const START: Form = {
  label: "",
  source: "history",
  hours: 1,
  trace: "",
  isLamplight: true,
  fixedUpTo: 4,
  hpa: "",
  hpaTarget: 5,
  ttft: "",
  tpot: "",
  fraction: "",
  startup: {},
  price: {},
  scale: 1,
};

/** The server takes at most so many policies in one simulation. */
export const MOST_POLICIES = 8;

const filled = (values: Record<string, string>) => Object.entries(values).filter(([, value]) => value.trim() !== "");

/** Fields that were left empty are left out: the server then takes the pool's own. */
export function wishOf(form: Form): Wish {
  const policies: Policy[] = form.isLamplight ? [{ kind: "lamplight" }] : [];
  if (form.hpa !== "") policies.push({ kind: "hpa", metric: form.hpa, target: form.hpaTarget });
  for (let replicas = 1; replicas <= form.fixedUpTo && policies.length < MOST_POLICIES; replicas += 1) policies.push({ kind: "static", replicas });
  const slo = {
    ...(form.ttft.trim() === "" ? {} : { ttft: form.ttft.trim() }),
    ...(form.tpot.trim() === "" ? {} : { tpot: form.tpot.trim() }),
    ...(form.fraction.trim() === "" ? {} : { fraction: Number(form.fraction) / 100 }),
  };
  const [startup, price] = [filled(form.startup), filled(form.price)];
  return {
    ...(form.label.trim() === "" ? {} : { label: form.label.trim() }),
    source: form.source === "history" ? { kind: "history", hours: form.hours } : { kind: "trace", format: form.source, content: form.trace },
    policies,
    ...(Object.keys(slo).length === 0 ? {} : { slo }),
    ...(startup.length === 0 ? {} : { startup: Object.fromEntries(startup.map(([name, value]) => [name, { p50: value.trim(), p90: value.trim() }])) }),
    ...(price.length === 0 ? {} : { price: Object.fromEntries(price.map(([name, value]) => [name, value.trim()])) }),
    ...(form.scale === 1 ? {} : { scale: form.scale }),
  };
}
