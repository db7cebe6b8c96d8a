/** One colour per meaning, the same on every page, with a second mark (dash, width) so that colour is never alone. */

export interface Stroke {
  /** Name of a token in styles/tokens.css. */
  token: string;
  width: number;
  dash?: number[];
}

const solid = (colour: string, width = 1.75): Stroke => ({ token: `--series-${colour}`, width });
const dashed = (colour: string, dash: readonly number[]): Stroke => ({ token: `--series-${colour}`, width: 1.75, dash: [...dash] });

const [DASHES, DOTS, DASH_DOT, LONG, SPARSE] = [[7, 4], [2, 3], [7, 3, 2, 3], [12, 4], [2, 6]] as const;

const BY_KEY: Record<string, Stroke> = {
  p50: dashed("green", DOTS),
  p95: solid("blue", 2.25),
  p99: dashed("purple", DASHES),
  computed: solid("vermillion"),
  device: solid("blue"),
  host: solid("green"),
  disk: solid("purple"),
  p2p: solid("sky"),
  external: solid("orange"),
  waiting: solid("vermillion", 2.25),
  running: dashed("blue", DASHES),
  mean: solid("blue"),
  max: dashed("purple", DASHES),
  prompt: dashed("green", DASHES),
  generation: solid("blue"),
  errors: dashed("vermillion", DASHES),
  rejections: dashed("purple", DOTS),
  desired: dashed("ink", DASHES),
  ready: solid("green", 2.25),
  starting: dashed("sky", DOTS),
  asleep: dashed("purple", DASH_DOT),
  needed: dashed("orange", LONG),
  load: solid("vermillion"),
  canary_p95: solid("orange", 2.25),
  stable_p95: dashed("ink", DASHES),
  forecast_p10: dashed("sky", SPARSE),
  forecast_p50: dashed("sky", LONG),
  forecast_p90: dashed("sky", DASH_DOT),
};

const REST = [solid("blue"), dashed("vermillion", DASHES), dashed("green", DOTS), dashed("purple", DASH_DOT), dashed("orange", LONG)];

export function strokeOf(key: string, index: number): Stroke {
  return BY_KEY[key] ?? REST[index % REST.length] ?? solid("blue");
}

/** The colour that a token has now, as the canvas needs it: `light-dark()` resolved. */
export function resolveColour(token: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${token})`;
  // a drawing would get the system's one colour for all of them
  probe.style.setProperty("forced-color-adjust", "none");
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
