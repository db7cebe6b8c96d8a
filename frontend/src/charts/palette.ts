/** One colour per meaning, the same on every page, with a second mark (dash, width) so that colour is never alone. */

export interface Stroke {
  /** Name of a token in styles/tokens.css. */
  token: string;
  width: number;
  dash?: number[];
}

const solid = (colour: string, width = 1.75): Stroke => ({ token: `--series-${colour}`, width });
const dashed = (colour: string, dash: number[]): Stroke => ({ token: `--series-${colour}`, width: 1.75, dash });

const BY_KEY: Record<string, Stroke> = {
  p50: dashed("green", [2, 3]),
  p95: solid("blue", 2.25),
  p99: dashed("purple", [7, 4]),
  computed: solid("vermillion"),
  device: solid("blue"),
  host: solid("green"),
  disk: solid("purple"),
  p2p: solid("sky"),
  external: solid("orange"),
  waiting: solid("vermillion", 2.25),
  running: dashed("blue", [7, 4]),
  mean: solid("blue"),
  max: dashed("purple", [7, 4]),
  prompt: dashed("green", [7, 4]),
  generation: solid("blue"),
  errors: dashed("vermillion", [7, 4]),
  rejections: dashed("purple", [2, 3]),
  desired: dashed("ink", [7, 4]),
  ready: solid("green", 2.25),
  needed: dashed("orange", [2, 3]),
  load: solid("vermillion"),
  canary_p95: solid("orange", 2.25),
  stable_p95: dashed("ink", [7, 4]),
  forecast_p10: dashed("sky", [2, 3]),
  forecast_p50: dashed("sky", [7, 4]),
  forecast_p90: dashed("sky", [2, 3]),
};

const REST = [solid("blue"), dashed("vermillion", [7, 4]), dashed("green", [2, 3]), solid("purple"), solid("orange")];

export function strokeOf(key: string, index: number): Stroke {
  return BY_KEY[key] ?? REST[index % REST.length] ?? solid("blue");
}

/** The colour that a token has now, as the canvas needs it: `light-dark()` resolved. */
export function resolveColour(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
