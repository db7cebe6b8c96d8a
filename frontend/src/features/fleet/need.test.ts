import { describe, expect, it } from "vitest";
import type { FleetRow } from "../../api/types";
import { objective, row as fleetRow } from "../../test/fixtures";
import { inNeed, unjudged } from "./need";

const row = (name: string, given: Partial<FleetRow>): FleetRow => fleetRow({ uid: name, name, health: "Healthy", slo: [], ...given });
const breached = { slo: [objective({ state: "Breached", met: false })] };

describe("who needs a person", () => {
  it("puts the ill before the breached, the longest breached first, and leaves the well out", () => {
    const rows = [
      row("well", { slo: [objective({ state: "Met", met: true })] }),
      row("burning", { slo: [objective({ state: "AtRisk" })] }),
      row("lately", { ...breached, breachedSince: "2026-11-26T10:00:00Z" }),
      row("long", { ...breached, breachedSince: "2026-11-24T10:00:00Z" }),
      row("ill", { health: "Degraded" }),
      row("starting", { health: "Progressing" }),
    ];
    expect(inNeed(rows).map(({ name }) => name)).toEqual(["ill", "long", "lately", "burning"]);
  });

  it("counts pools whose promises nobody can judge", () => {
    expect(unjudged([row("a", { slo: [objective({ state: "NoData", met: null })] }), row("b", { slo: [objective({ met: true })] })])).toBe(1);
  });
});
