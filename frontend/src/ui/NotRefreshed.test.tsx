import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { ChartCard } from "../charts/ChartCard";
import { panel } from "../test/fixtures";
import { NotRefreshed } from "./NotRefreshed";

vi.mock("../charts/TimeChart", () => ({ TimeChart: ({ spoken }: { spoken: string }) => <p>{spoken}</p> }));

const failed = (seconds: number, refetch = () => {}) => ({ error: new Error("The archive is locked."), dataUpdatedAt: Date.now() - seconds * 1000, refetch });

it("counts from the newest good answer, whenever the first try failed", () => {
  const { rerender } = render(<NotRefreshed read={{ ...failed(0), error: null }} />);
  const region = screen.getByRole("status");
  expect(region.textContent).toBe("");
  rerender(<NotRefreshed read={failed(125)} />);
  // the same region: a screen reader hears what comes into one that it knows
  expect(region.textContent).toContain("Stale: not refreshed for 2 min. The archive is locked.");
});

it("says nothing of age where there never was an answer", () => {
  render(<NotRefreshed read={{ ...failed(0), dataUpdatedAt: 0 }} />);
  expect(screen.getByRole("status").textContent).toBe("");
});

it("keeps a chart that cannot be read anew, with its age, and tries again when asked", async () => {
  const again = vi.fn();
  render(<ChartCard title="TTFT" panel={{ ...panel({}), from: 0, to: 900 }} read={failed(3700, again)} zone="utc" syncKey="a" />);
  const card = screen.getByRole("figure", { name: "TTFT" });
  expect(card.dataset.state).toBe("stale");
  expect(card.textContent).toContain("Stale: not refreshed for 1 h. The archive is locked.");
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(again).toHaveBeenCalledOnce();
  await userEvent.click(screen.getByRole("button", { name: "TTFT as a table" }));
  expect(screen.getByRole("table")).toBeTruthy();
});

it.each([
  ["no_traffic", "No traffic"],
  ["no_data", "No data"],
  ["error", "Error"],
] as const)("says %s in words where a chart has no points, as a table as well", async (state, word) => {
  render(<ChartCard title="TTFT" panel={{ ...panel({ state, reason: "because", series: [] }), from: 0, to: 900 }} read={{ ...failed(0), error: null }} zone="utc" syncKey="a" />);
  const card = screen.getByRole("figure", { name: "TTFT" });
  const [said] = [card.textContent];
  expect(said).toContain(word);
  expect(said).toContain("because");
  await userEvent.click(screen.getByRole("button", { name: "TTFT as a table" }));
  expect(card.textContent).toBe(said);
  expect(screen.queryByRole("table")).toBeNull();
});

it("says with the points, as a chart and as a table, that they are old", async () => {
  render(<ChartCard title="TTFT" panel={{ ...panel({ state: "stale", reason: "The last measurement is 63 s old." }), from: 0, to: 900 }} read={{ ...failed(0), error: null }} zone="utc" syncKey="a" />);
  expect(screen.getByText("Stale. The last measurement is 63 s old.")).toBeTruthy();
  await userEvent.click(screen.getByRole("button", { name: "TTFT as a table" }));
  expect(screen.getByRole("table", { name: "Stale. The last measurement is 63 s old." })).toBeTruthy();
});
