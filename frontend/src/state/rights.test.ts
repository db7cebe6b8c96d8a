import { expect, test } from "vitest";
import { writable } from "./rights";

const session = (superuser: boolean, roles: Record<string, string>) =>
  ({ user: { username: "someone", superuser }, teams: Object.entries(roles).map(([name, role]) => ({ name, role })) }) as unknown as Parameters<typeof writable>[0];

test("a viewer may change nothing, an editor and an admin what is of their teams", () => {
  expect(writable(session(false, { search: "viewer", platform: "viewer" }))).toEqual([]);
  expect(writable(session(false, { search: "editor", platform: "viewer", ml: "admin" }))).toEqual(["search", "ml"]);
  expect(writable(session(false, {}))).toEqual([]);
});

test("an administrator may change everything, and before it is known who asks the server is left to say", () => {
  expect(writable(session(true, { search: "viewer" }))).toBeUndefined();
  expect(writable(null)).toBeUndefined();
  expect(writable(undefined)).toBeUndefined();
});
