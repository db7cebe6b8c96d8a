import { expect, it } from "vitest";
import { panel } from "../../test/fixtures";
import { withTracks } from "./tracks";

const drawn = (key: string, value: number | null) => panel({ series: [{ key, label: key, points: [[10, value]] }] });

it("adds the p95 of a canary and of the others, and nothing where nothing was measured", () => {
  const both = withTracks(drawn("p95", 1), { canary: drawn("p95", 3), stable: drawn("p95", 0.5) });
  expect(both.series.map(({ key, points }) => [key, points[0]?.[1]])).toEqual([["p95", 1], ["canary_p95", 3], ["stable_p95", 0.5]]);
  const alone = drawn("p95", 1);
  expect(withTracks(alone, { canary: drawn("p95", null), stable: undefined })).toBe(alone);
});
