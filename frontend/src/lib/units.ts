/** Numbers as people read them: a value never stands without its unit, and unknown is a dash, never a zero. */

export const UNKNOWN = "—";

const SI = [
  { factor: 1e9, suffix: "G" },
  { factor: 1e6, suffix: "M" },
  { factor: 1e3, suffix: "k" },
];

/** About three significant digits, no trailing zeros: 0.123, 1.5, 12.3, 345. */
function digits(value: number): string {
  const size = Math.abs(value);
  const places = size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return String(Number(value.toFixed(places)));
}

/** 950, 1.23k, 45.6M. */
export function compact(value: number): string {
  const size = Math.abs(value);
  for (const { factor, suffix } of SI) {
    if (size >= factor * 0.9995) return `${digits(value / factor)}${suffix}`;
  }
  return digits(value);
}

/** As models are called: 8.03B parameters, 494M. */
export function counted(parameters: number): string {
  return compact(parameters).replace(/G$/, "B");
}

/** Seconds in, the unit that reads best out: 340 µs, 12.3 ms, 1.2 s, 2 min 5 s. */
export function seconds(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0 ms";
  if (size < 0.001) return `${digits(value * 1e6)} µs`;
  if (size < 0.9995) return `${digits(value * 1e3)} ms`;
  if (size < 120) return `${digits(value)} s`;
  return duration(value);
}

/** Whole seconds as the two largest parts: 42 s, 2 min 5 s, 3 h 10 min, 4 d 2 h. */
export function duration(value: number): string {
  const total = Math.max(0, Math.floor(value));
  const parts: [number, string][] = [
    [Math.floor(total / 86_400), "d"],
    [Math.floor((total % 86_400) / 3600), "h"],
    [Math.floor((total % 3600) / 60), "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first === -1) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

export function percent(fraction: number): string {
  const value = fraction * 100;
  const places = Math.abs(value) >= 99.95 || Math.abs(value) < 0.05 ? 0 : 1;
  return `${Number(value.toFixed(places))} %`.replace("-", "−");
}

/** Whole units with groups of three, for sums that people compare with an invoice: 1,205. */
export function whole(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Formats by the unit names that the API uses; an unknown unit is printed after the number. */
export function format(value: number | null | undefined, unit: string): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  switch (unit) {
    case "s":
      return seconds(value);
    // UCUM's name of a plain ratio
    case "1":
      return percent(value);
    case "requests":
    case "replicas":
      return compact(value);
    case "requests/s":
      return `${compact(value)} req/s`;
    case "×":
      return `×${digits(value)}`;
    case "tokens/s":
      return `${compact(value)} tok/s`;
    // decimal, as bandwidths of buses and volumes are given: 41.6 GB/s
    case "B/s":
      return compact(value).replace(/(?=[kMG]$)|(?<=\d)$/, " ") + unit;
    default:
      return `${compact(value)} ${unit}`;
  }
}

/** "6.40 USD/h"; `per` says of what. */
export function money(value: number | null | undefined, currency: string | null = null, per = "h"): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  return `${value.toFixed(Math.abs(value) >= 100 ? 0 : 2).replace("-", "−")} ${currency ?? ""}/${per}`;
}

/** What runs for an hour at this price costs a day. */
export function moneyPerDay(perHour: number | null | undefined, currency: string | null = null): string {
  return money(perHour === null || perHour === undefined ? perHour : perHour * 24, currency, "day");
}

/** 131072 is 128 KiB: bytes by powers of 1024. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return UNKNOWN;
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  const at = Math.min(units.length - 1, value < 1 ? 0 : Math.floor(Math.log2(value) / 10));
  return `${digits(value / 1024 ** at)} ${units[at]}`;
}

/** A tick on an axis: short, as the chart's title names the unit. */
export function axisLabel(value: number, unit: string): string {
  if (value === 0 && unit !== "1") return "0";
  if (unit === "s") return seconds(value);
  if (unit === "1") return percent(value);
  return compact(value);
}

/** The unit as a chart's title says it; what formats itself needs none. */
export function unitName(unit: string): string {
  return unit === "s" || unit === "1" || unit === "replicas" ? "" : unit;
}
