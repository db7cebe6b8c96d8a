import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";
import { SureButton } from "./SureButton";

it("is pressed twice, and twice again before it does the next thing", async () => {
  const done = vi.fn();
  render(
    <SureButton label="Shut out grace" sure="Shut out now" onSure={done}>
      Shut out
    </SureButton>,
  );
  await userEvent.tab();
  await userEvent.keyboard("{Enter}");
  expect(screen.getByRole("button", { name: "Shut out now" })).toBe(document.activeElement);
  expect(done).not.toHaveBeenCalled();
  await userEvent.keyboard("{Enter}");
  expect(done).toHaveBeenCalledOnce();
  // what the next press would do may be the opposite by then
  expect(screen.getByRole("button", { name: "Shut out grace" })).toBe(document.activeElement);
});

it("takes the first press back with Escape, and where the focus goes elsewhere", async () => {
  const done = vi.fn();
  render(
    <SureButton label="Shut out grace" sure="Shut out now" onSure={done}>
      Shut out
    </SureButton>,
  );
  for (const away of ["{Escape}", "{Tab}"]) {
    await userEvent.click(screen.getByRole("button", { name: "Shut out grace" }));
    await userEvent.keyboard(away);
    screen.getByRole("button", { name: "Shut out grace" });
  }
  expect(done).not.toHaveBeenCalled();
});
