import { describe, expect, it } from "vitest";
import { CHAT } from "../../test/fixtures";
import { standingOf, told } from "./told";

const seen = (generation: number, observedGeneration: number, health: string, sync = "Synced") =>
  ({ ...CHAT, metadata: { ...CHAT.metadata, generation }, status: { ...CHAT.status, observedGeneration, health, sync } }) as typeof CHAT;

function heard(...all: ReturnType<typeof seen>[]): string[] {
  let before = standingOf(all[0]!);
  return all.slice(1).flatMap((pool) => {
    const now = standingOf(pool, before);
    const said = told("chat", before, now, "so it is");
    before = now;
    return said === undefined ? [] : [said];
  });
}

describe("what is told of a pool", () => {
  it("is one sentence for a whole roll-out", () => {
    expect(heard(seen(3, 3, "Healthy"), seen(4, 3, "Healthy"), seen(4, 4, "Progressing"), seen(4, 4, "Progressing"), seen(4, 4, "Healthy"), seen(4, 4, "Healthy"))).toEqual([
      "The roll-out of generation 4 ended. chat is Healthy: so it is",
    ]);
  });
  it("is that it broke, and that it is well again", () => {
    expect(heard(seen(3, 3, "Healthy"), seen(3, 3, "Degraded"), seen(3, 3, "Progressing"), seen(3, 3, "Healthy"))).toEqual([
      "chat is Degraded: so it is",
      "chat is Healthy: so it is",
    ]);
  });
  it("is nothing for the first look and for a pool that stays as it is", () => {
    expect(heard(seen(1, 1, "Progressing"), seen(1, 1, "Progressing"))).toEqual([]);
  });
});
