import { expect, it } from "vitest";
import { awake, replicaWords } from "./replicas";

it("tells sleepers from those that serve", () => {
  expect(replicaWords({ desired: 2, ready: 2, starting: 0 })).toBe("2 ready of 2");
  expect(replicaWords({ desired: 1, ready: 1, starting: 0, asleep: 1 })).toBe("0 awake and 1 asleep of 1");
  expect(awake({ ready: 3, asleep: 1 })).toBe(2);
});

it("knows nothing before the first look", () => {
  expect(replicaWords(undefined)).toBe("— ready of —");
  expect(awake({ ready: null })).toBeNull();
});
