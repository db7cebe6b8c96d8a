/** What the address of the what-if page says, and what its form asks for. Pure. */

import type { Policy, Simulation, Wish } from "../../api/whatif";
import { clock, type Zone } from "../../lib/time";

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

/** What tells it from others where nobody named it: what was played, under which policies, and when it was asked for. */
export function nameOf({ label, request, createdAt }: Pick<Simulation, "label" | "request" | "createdAt">, zone: Zone): string {
  if (label !== "") return label;
  const { source, policies = [], scale, startup, price } = request;
  const load = source?.kind === "trace" ? "a trace" : `the last ${source?.hours ?? 1} h`;
  const times = scale === undefined || scale === 1 ? "" : ` ×${scale}`;
  const other = [
    ...Object.entries(startup ?? {}).map(([variant, { p50 }]) => `${variant} starts in ${p50}`),
    ...Object.entries(price ?? {}).map(([variant, value]) => `${variant} at ${value}`),
  ];
  return [`${load}${times}`, policyWords(policies), ...other, `asked ${clock(Date.parse(createdAt), zone)}`].join(", ");
}

function policyWords(policies: readonly Policy[]): string {
  const fixed = policies.flatMap((one) => (one.kind === "static" ? [one.replicas] : []));
  const [least, most] = [Math.min(...fixed), Math.max(...fixed)];
  const words = policies.flatMap((one) => (one.kind === "lamplight" ? ["Lamplight"] : one.kind === "hpa" ? [`HPA on ${one.metric}`] : []));
  if (fixed.length > 0) words.push(least === most ? `fixed ${least}` : `fixed ${least} to ${most}`);
  return words.join(" + ") || "Lamplight";
}

/** What is told of simulations that came to their end since they were looked at before. */
export function ended(before: readonly Pick<Simulation, "id" | "status">[], now: readonly Simulation[], zone: Zone): string[] {
  const were = new Map(before.map(({ id, status }) => [id, status]));
  return now.flatMap((one) => {
    const was = were.get(one.id);
    if (was !== "queued" && was !== "running") return [];
    if (one.status !== "done" && one.status !== "failed") return [];
    return [`The simulation ${nameOf(one, zone)} ${one.status === "done" ? "is done" : "failed"}${one.message === "" ? "." : `: ${one.message}`}`];
  });
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
