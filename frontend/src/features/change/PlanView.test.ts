import { expect, it } from "vitest";
import { sides } from "./PlanView";

const text = (before: unknown, after: unknown) => sides({ before, after }).map(({ mark, text: line }) => `${mark} ${line}`);

it("shows both sides of a value", () => expect(text(2, 3)).toEqual(["- 2", "+ 3"]));
it("shows one side of what is new or gone", () => {
  expect(text(undefined, "a")).toEqual(["+ a"]);
  expect(text({ min: 1 }, undefined)).toEqual(["- {", '-   "min": 1', "- }"]);
});
it("shows what stays in a list once", () => expect(text(["a", "b"], ["a", "c"])).toEqual(["- b", "  a", "+ c"]));
