import { describe, expect, it } from "vitest";
import { strokeOf } from "./palette";

/** Lines that lie in one chart: those of the server's panels (apps/telemetry/domain/panels.py), and what decisions add. */
const TOGETHER = [
  ["p50", "p95", "p99"],
  ["waiting", "running"],
  ["queue", "running"],
  ["mean", "max"],
  ["requests", "errors", "rejections", "forecast_p10", "forecast_p50", "forecast_p90"],
  ["gateway", "engine"],
  ["prompt", "generation"],
  ["load", "store"],
  ["desired", "ready", "starting", "asleep", "needed", "load"],
  ["all", "generated"],
  ["canary_p95", "stable_p95"],
];

describe("lines of one chart", () => {
  it.each(TOGETHER.map((keys) => [keys.join(", "), keys] as const))("%s differ by more than their colour", (_, keys) => {
    const looks = keys.map((key, index) => {
      const { width, dash } = strokeOf(key, index);
      return `${width} ${dash?.join(" ")}`;
    });
    expect(new Set(looks).size).toBe(keys.length);
  });
});
