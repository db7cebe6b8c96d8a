import { afterEach, expect, it, vi } from "vitest";
import { noteDate, serverNow } from "./serverClock";

afterEach(() => {
  vi.useRealTimers();
  noteDate(new Date().toUTCString());
});

it("follows the server when this machine's clock is off, and only then", () => {
  vi.useFakeTimers({ now: Date.UTC(2026, 10, 23, 14, 0, 0) });
  noteDate("Mon, 23 Nov 2026 14:05:00 GMT");
  expect(serverNow()).toBe(Date.UTC(2026, 10, 23, 14, 5, 0));
  noteDate("nonsense");
  noteDate(null);
  expect(serverNow()).toBe(Date.UTC(2026, 10, 23, 14, 5, 0));
  noteDate("Mon, 23 Nov 2026 14:00:01 GMT");
  expect(serverNow()).toBe(Date.UTC(2026, 10, 23, 14, 0, 0));
});
