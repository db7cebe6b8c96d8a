import { focusManager, QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { panelQuery } from "./queries";

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals(); focusManager.setFocused(undefined); });

/** Mounts a chart whose panel answers with this step (s); counts what is asked of the server. */
async function mounted(step: number, view: Parameters<typeof panelQuery>[3]) {
  let asked = 0;
  vi.stubGlobal("fetch", () => {
    asked += 1;
    return Promise.resolve(Response.json({ step, series: [] }));
  });
  const client = new QueryClient();
  client.mount();
  const end = new QueryObserver(client, panelQuery("a", "chat", "ttft", view, "1h")).subscribe(() => undefined);
  await vi.advanceTimersByTimeAsync(0);
  return { asked: () => asked, end };
}

it.each([[10, 10], [60, 60], [3600, 3600], [1, 5]])("a chart of steps of %d s is read anew after %d s", async (step, seconds) => {
  const chart = await mounted(step, {});
  await vi.advanceTimersByTimeAsync(seconds * 1000 - 100);
  expect(chart.asked()).toBe(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(chart.asked()).toBe(2);
  chart.end();
});

it("a stretch that does not move with now is read once", async () => {
  const chart = await mounted(10, { from: 1_700_000_000, to: 1_700_003_600 });
  await vi.advanceTimersByTimeAsync(120_000);
  expect(chart.asked()).toBe(1);
  chart.end();
});

it("nothing is read while the window is hidden", async () => {
  const chart = await mounted(10, {});
  focusManager.setFocused(false);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(chart.asked()).toBe(1);
  chart.end();
});
