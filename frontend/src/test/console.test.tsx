import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { keys } from "../api/keys";
import { keepDraft } from "../features/change/drafts";
import { ADMIN, FakeServer, openConsole, problem } from "./app";
import { CHAT, objective, panel, row } from "./fixtures";

// jsdom has no canvas; the drawing itself is looked at by the browser test.
vi.mock("../charts/TimeChart", () => ({ TimeChart: ({ spoken }: { spoken: string }) => <div role="slider" aria-label="chart" aria-valuenow={0} aria-valuetext={spoken} /> }));

const TOTALS = {
  pools: 1,
  healthy: 1,
  replicas: { desired: 2, ready: 2, starting: 0 },
  accelerators: 2,
  requestsPerSecond: 4,
  tokensPerSecond: 900,
  costPerHour: null,
  currency: null,
};
const POOL = "/teams/default/pools/chat";

let server: FakeServer;

afterEach(() => keepDraft("default", "chat", undefined));

beforeEach(() => {
  server = new FakeServer()
    .on("GET /session", ADMIN)
    .on("GET /fleet", { body: { items: [row({})], totals: TOTALS } })
    .on(`GET ${POOL}`, ({ url }) => (url.searchParams.has("format") ? { text: "kind: Pool\n" } : { body: CHAT }))
    .on(`GET ${POOL}/replicas`, { body: { items: [] } })
    .on(`GET ${POOL}/panels`, { body: { items: [] } })
    .on("GET /events", { body: { items: [], next: null } })
    .install();
});

describe("logging in", () => {
  beforeEach(() => void server.on("GET /session", problem(401, "Log in.")));

  it("asks first, says what is wrong in one sentence, and goes on where the person was", async () => {
    server.on("POST /session", ({ body, headers }) => {
      expect(headers.get("X-CSRFToken")).toBe("token");
      if ((body as { password: string }).password !== "right") return problem(401, "no");
      server.on("GET /session", ADMIN);
      return ADMIN;
    });
    document.cookie = "csrftoken=token";
    const { address } = openConsole(`${POOL}?range=6h`);

    const password = await screen.findByLabelText("Password");
    expect(document.activeElement).toBe(screen.getByLabelText("User name"));
    await userEvent.type(screen.getByLabelText("User name"), "admin");
    await userEvent.type(password, "wrong{Enter}");
    expect((await screen.findByText(/do not belong together/)).closest("[role=alert]")).not.toBeNull();
    expect(password.getAttribute("aria-invalid")).toBe("true");

    expect(document.activeElement).toBe(password);
    await userEvent.keyboard("right{Enter}");
    await screen.findByRole("heading", { name: "chat" });
    expect(address()).toBe(`${POOL}?range=6h`);
  });

  it("passes on what the server says about too many attempts", async () => {
    server.on("POST /session", problem(429, "Too many attempts; try again in 42 seconds."));
    openConsole("/login");
    await userEvent.type(await screen.findByLabelText("User name"), "admin");
    await userEvent.type(screen.getByLabelText("Password"), "guess{Enter}");
    await screen.findByText("Too many attempts; try again in 42 seconds.");
  });

  it("never leaves for another site", async () => {
    server.on("POST /session", () => {
      server.on("GET /session", ADMIN);
      return ADMIN;
    });
    const { address } = openConsole("/login?next=%2F%2Fevil.example%2F");
    await userEvent.type(await screen.findByLabelText("User name"), "admin");
    await userEvent.type(screen.getByLabelText("Password"), "right{Enter}");
    await screen.findByRole("heading", { name: "Fleet" });
    expect(address()).toBe("/");
  });
});

describe("a session that ends", () => {
  it("leads to the login, and remembers the view", async () => {
    const { address, client } = openConsole("/?q=chat");
    await screen.findByRole("link", { name: "chat" });
    server.on("GET /session", problem(401, "Log in.")).on("GET /fleet", problem(401, "Log in."));
    await client.invalidateQueries({ queryKey: keys.fleet });
    await screen.findByLabelText("Password");
    expect(address()).toBe("/login?next=%2F%3Fq%3Dchat");
  });

  it("ends by logging out, and leaves nothing behind", async () => {
    server.on("DELETE /session", { status: 204 });
    const { client } = openConsole("/");
    const button = await screen.findByRole("button", { name: "Log out" });
    server.on("GET /session", problem(401, "Log in."));
    await userEvent.click(button);
    await screen.findByLabelText("Password");
    expect(client.getQueryData(keys.fleet)).toBeUndefined();
  });
});

describe("the fleet", () => {
  it("says both statuses in words, and an objective that is missed", async () => {
    const slo = [objective({ state: "Breached", attained: 0.62, budgetLeft: -6.6, burnRate: 7.6, firing: 1, met: false })];
    const degraded = row({ sync: "OutOfSync", health: "Degraded", reason: "Unschedulable", message: "No node is free.", slo });
    server.on("GET /fleet", { body: { items: [degraded], totals: TOTALS } });
    openConsole("/");
    const line = (await screen.findByRole("link", { name: "chat" })).closest("tr")!;
    expect(within(line).getByText("Out of sync").textContent).toBe("Sync: Out of sync");
    expect(within(line).getByText("Degraded").textContent).toBe("Health: Degraded");
    expect(line.textContent).toContain("SLO: BreachedTTFT 62 %, goal 95 %−660 %burns ×7.6");
    expect(line.textContent).toContain("≤ 500 ms; objective missed");
    screen.getByText("No node is free.");
    expect(screen.getByText("Cost of a day", { selector: "dt" }).nextSibling?.textContent).toBe("—");
  });

  it("tells a newcomer what to do next", async () => {
    server.on("GET /fleet", { body: { items: [], totals: { ...TOTALS, pools: 0, healthy: 0 } } });
    openConsole("/");
    await screen.findByText("lamp apply -f examples/quickstart");
  });

  it("keeps filter, sort and groups in the address", async () => {
    server.on("GET /fleet", { body: { items: [row({}), row({ name: "embed", team: "search" })], totals: TOTALS } });
    const { address } = openConsole("/");
    await userEvent.type(await screen.findByRole("searchbox"), "sea");
    await waitFor(() => expect(screen.queryByRole("link", { name: "chat" })).toBeNull());
    await userEvent.click(screen.getByRole("button", { name: "TTFT p95" }));
    await userEvent.click(screen.getByRole("radio", { name: "By team" }));
    expect(address()).toBe("/?q=sea&sort=ttft&group=team");
    expect(screen.getByRole("columnheader", { name: "TTFT p95" }).getAttribute("aria-sort")).toBe("ascending");
    screen.getByText("1 of 2 pools");
  });

  it("draws of a thousand pools those in view, and says how many there are", async () => {
    // jsdom lays nothing out
    vi.spyOn(HTMLElement.prototype, "offsetHeight", "get").mockReturnValue(58);
    const items = Array.from({ length: 1000 }, (_, at) => row({ name: `pool-${at}`, uid: `u${at}` }));
    server.on("GET /fleet", { body: { items, totals: TOTALS } });
    openConsole("/");
    const table = await screen.findByRole("table");
    expect(table.getAttribute("aria-rowcount")).toBe("1001");
    expect(within(table).queryAllByRole("link").length).toBeLessThan(100);
    await userEvent.type(screen.getByRole("searchbox"), "pool-99");
    await waitFor(() => expect(within(screen.getByRole("table")).getAllByRole("link")).toHaveLength(11));
  });

  it("shows the server's sentence when it fails, and recovers", async () => {
    server.on("GET /fleet", problem(503, "The database is restarting."));
    openConsole("/");
    await screen.findByText("The database is restarting.");
    server.on("GET /fleet", { body: { items: [row({})], totals: TOTALS } });
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    await screen.findByRole("link", { name: "chat" });
  });
});

it("opens an address with words that it does not know", async () => {
  openConsole("/?sort=colour&order=up&group=moon");
  await screen.findByRole("link", { name: "chat" });
});

describe("live", () => {
  it("shows a change that the stream announces, without a reload", async () => {
    openConsole(POOL);
    await screen.findAllByText("2 of 2 replicas are ready.");
    await screen.findByText("Live");
    const [ready] = CHAT.status.conditions!;
    const degraded = { ...CHAT, status: { ...CHAT.status, health: "Degraded", conditions: [{ ...ready, message: "One replica was lost." }] } };
    server.on(`GET ${POOL}`, { body: degraded });
    server.emit({ kind: "Pool", uid: "u", team: "default", name: "chat", verb: "status", generation: 7 });
    await screen.findAllByText("One replica was lost.");
    screen.getByText("Degraded");
  });

  it("says when the session is over for the stream", async () => {
    server.on("GET /stream", problem(401, "Log in."));
    server.on("GET /session", ADMIN);
    openConsole("/");
    await screen.findByText("Logged out");
  });
});

describe("a pool", () => {
  it("greys a condition that reports on an older generation", async () => {
    openConsole(POOL);
    const old = (await screen.findByText("reporting on generation 6, current is 7")).closest("tr")!;
    expect(old.dataset.stale).toBe("true");
    expect(screen.getByRole("rowheader", { name: "Ready" }).closest("tr")!.dataset.stale).toBe("false");
  });

  it("tells replicas from the pods that support them", async () => {
    const pod = { phase: "Running", ready: true, node: "gpu-a", restarts: 0, reason: "", message: "", createdAt: null };
    server.on(`GET ${POOL}/replicas`, {
      body: {
        items: [
          { ...pod, name: "chat-picker-x", variant: null, component: "endpoint-picker" },
          { ...pod, name: "chat-h200-y", variant: "h200", component: "engine" },
        ],
      },
    });
    openConsole(POOL);
    const replicas = await screen.findByRole("group", { name: "Replicas" });
    await within(replicas).findByRole("rowheader", { name: "chat-h200-y" });
    expect(within(replicas).getAllByRole("rowheader")).toHaveLength(1);
    within(screen.getByRole("group", { name: "Supporting pods" })).getByText("endpoint-picker");
  });

  it("says which pool is not there", async () => {
    openConsole("/teams/default/pools/gone");
    await screen.findByText("There is no pool gone in team default.");
  });

  it("keeps range, zone and tab in the address", async () => {
    const { address } = openConsole(POOL);
    await userEvent.click(await screen.findByRole("radio", { name: "6h" }));
    await userEvent.click(screen.getByRole("radio", { name: "UTC" }));
    await userEvent.click(screen.getByRole("link", { name: "YAML" }));
    expect(address()).toBe(`${POOL}/yaml?range=6h&tz=utc`);
    await screen.findByText("kind: Pool");
  });

  it.each([
    ["no_traffic", "No traffic"],
    ["no_data", "No data"],
    ["stale", "Stale. because"],
  ] as const)("draws the state %s with its reason", async (state, said) => {
    server.on(`GET ${POOL}/panels`, { body: { items: [panel({})] } });
    server.on(`GET ${POOL}/panels/ttft`, { body: panel({ state, reason: "because" }) });
    openConsole(POOL);
    const card = await screen.findByRole("figure", { name: "Time to first token" });
    await within(card).findByText(said);
    expect(card.textContent).toContain("because");
    expect(card.dataset.state).toBe(state);
  });

  it("offers to try again when a chart fails, and asks for the range of the address", async () => {
    server.on(`GET ${POOL}/panels`, { body: { items: [panel({})] } });
    server.on(`GET ${POOL}/panels/ttft`, problem(500, "The signals could not be read."));
    openConsole(`${POOL}?range=1h`);
    const card = await screen.findByRole("figure", { name: "Time to first token" });
    await within(card).findByText("The signals could not be read.");
    let asked = 0;
    server.on(`GET ${POOL}/panels/ttft`, ({ url }) => {
      asked = Number(url.searchParams.get("to")) - Number(url.searchParams.get("from"));
      return { body: panel({}) };
    });
    await userEvent.click(within(card).getByRole("button", { name: "Try again" }));
    const chart = await within(card).findByRole("slider");
    expect(chart.getAttribute("aria-valuetext")).toContain("p95 120 ms");
    expect(asked).toBe(3600);
  });

  it("has every chart as a table", async () => {
    server.on(`GET ${POOL}/panels`, { body: { items: [panel({})] } });
    server.on(`GET ${POOL}/panels/ttft`, { body: panel({}) });
    openConsole(`${POOL}?tz=utc`);
    await userEvent.click(await screen.findByRole("button", { name: "Time to first token as a table" }));
    const rows = within(screen.getByRole("region", { name: "Time to first token, as a table" })).getAllByRole("row");
    expect(rows.map(({ textContent }) => textContent)).toEqual(["Timep95", "14:00:20120 ms", "14:00:10—", "14:00:0090 ms"]);
  });
});

describe("changing a pool", () => {
  const YAML = "kind: Pool\nmetadata:\n  name: chat\nspec:\n  model: llama-3-1-8b\n  variants:\n    - name: h200\n      accelerator: nvidia-h200\n";
  const plan = {
    id: 12,
    team: "default",
    pool: "chat",
    origin: "document",
    state: "open",
    createdAt: "2026-11-23T14:00:00Z",
    reason: "",
    base: { generation: 7, version: 9 },
    restsOn: [],
    generation: null,
    summary: { created: 0, changed: 1, unchanged: 9, deleted: 0, skipped: 0, effect: "recreate", replicasRestarted: 2, podsRestarted: 2, consentNeeded: ["recreate"], empty: false, sentence: "1 to change; 2 replicas restart" },
    spec: [{ path: "spec.model", op: "changed", effect: "inPlace", before: "llama-3-1-8b", after: "qwen" }],
    objects: [],
    accelerators: [{ accelerator: "nvidia-h200", before: 2, after: 3, delta: 1 }],
    cost: [{ currency: "USD", per: "h", before: 6.4, after: 9.6, delta: 3.2 }],
    unpriced: [],
    warnings: [{ reason: "NoRoomToSurge", message: "there is no room" }],
  };

  beforeEach(() => {
    server
      .on(`GET ${POOL}`, ({ url }) => (url.searchParams.has("format") ? { text: YAML } : { body: CHAT }))
      .on("GET /models", { body: { items: [] } })
      .on("GET /accelerators", { body: { items: [] } })
      .on("GET /schema", { body: { components: { schemas: {} } } })
      .on(`PUT ${POOL}`, { body: CHAT });
  });

  it("says at its input what the server refuses, and makes no plan of it", async () => {
    server.on(`PUT ${POOL}`, ({ text }) =>
      text.includes("nothing") ? { status: 422, body: { title: "Invalid", detail: "One thing is wrong.", errors: [{ pointer: "/spec/model", line: 5, detail: "There is no model nothing." }] } } : { body: CHAT },
    );
    openConsole(`${POOL}/edit`);
    const model = await screen.findByLabelText("Model");
    await userEvent.clear(model);
    await userEvent.type(model, "nothing");
    await waitFor(() => expect(screen.getByLabelText("Model").getAttribute("aria-invalid")).toBe("true"), { timeout: 5000 });
    expect(screen.getByRole("list", { name: "What is wrong" }).textContent).toContain("line 5 /spec/model There is no model nothing.");
    expect(screen.getByRole("button", { name: "Show the plan" })).toHaveProperty("ariaDisabled", "true");
  });

  it("shows the plan with restarts, hardware, money and warnings, asks for consent, applies with a reason, and goes to the pool", async () => {
    let sent = "";
    server
      .on(`POST ${POOL}/plan`, ({ text }) => {
        sent = text;
        return { status: 201, body: plan };
      })
      .on(`GET ${POOL}/plans/12`, { body: plan })
      .on(`POST ${POOL}/plans/12/apply`, ({ url, body }) => {
        expect(url.searchParams.get("reason")).toBe("newer");
        expect(body).toEqual({ consent: ["recreate"] });
        return { body: { ...plan, state: "applied" } };
      });
    const { address } = openConsole(`${POOL}/edit`);
    const model = await screen.findByLabelText("Model");
    await userEvent.clear(model);
    await userEvent.type(model, "qwen");
    await waitFor(() => expect(screen.getByRole("button", { name: "Show the plan" })).toHaveProperty("ariaDisabled", null));
    await userEvent.click(screen.getByRole("button", { name: "Show the plan" }));
    await screen.findByText("1 to change; 2 replicas restart");
    expect(sent).toBe(YAML.replace("llama-3-1-8b", "qwen"));
    screen.getByText("2 → 3 (+1)");
    screen.getByText("6.40 → 9.60 USD/h (+3.20)");
    screen.getByText("there is no room", { exact: false });
    const button = screen.getByRole("button", { name: "Apply this plan" });
    expect(button).toHaveProperty("ariaDisabled", "true");
    await userEvent.click(screen.getByRole("checkbox"));
    await userEvent.type(screen.getByLabelText("Why"), "newer");
    await userEvent.click(button);
    await waitFor(() => expect(address()).toBe(POOL));
  });

  it("says what has moved under a plan, and keeps the draft", async () => {
    server.on(`GET ${POOL}/plans/12`, { body: { ...plan, summary: { ...plan.summary, consentNeeded: [] } } }).on(`POST ${POOL}/plans/12/apply`, {
      status: 409,
      body: { title: "Moved", detail: "Make a new one.", errors: [{ pointer: "/base/generation", detail: "the pool is at generation 8 now" }] },
    });
    openConsole(`${POOL}/plans/12`);
    await userEvent.click(await screen.findByRole("button", { name: "Apply this plan" }));
    await screen.findByText("What the plan was made on has moved.");
    screen.getByText("the pool is at generation 8 now", { exact: false });
  });

  it("merges a draft with what somebody else declared meanwhile", async () => {
    const { client } = openConsole(`${POOL}/edit`);
    const model = await screen.findByLabelText("Model");
    await userEvent.clear(model);
    await userEvent.type(model, "qwen");
    const theirs = YAML.replace("nvidia-h200", "nvidia-h100");
    const moved = { ...CHAT, metadata: { ...CHAT.metadata, version: 10 } };
    server.on(`GET ${POOL}`, ({ url }) => (url.searchParams.has("format") ? { text: theirs } : { body: moved }));
    await client.invalidateQueries({ queryKey: keys.pool("default", "chat") });
    await screen.findByText("spec.variants.0.accelerator");
    await userEvent.click(screen.getByRole("button", { name: "Merge my changes into theirs" }));
    expect(screen.getByLabelText("Model")).toHaveProperty("value", "qwen");
    expect(screen.getByLabelText("Accelerator")).toHaveProperty("value", "nvidia-h100");
    expect(screen.queryByText("Merge my changes into theirs")).toBeNull();
  });
});

describe("the palette", () => {
  it("opens by Ctrl-K, finds a pool's part by a few letters and goes there with the keyboard alone", async () => {
    const { address } = openConsole("/?tz=utc");
    await screen.findByRole("link", { name: "chat" });
    await userEvent.keyboard("{Control>}k{/Control}");
    const box = await screen.findByRole("combobox", { name: "Pools, pages and actions", hidden: true });
    await userEvent.type(box, "chat rev");
    expect(within(screen.getByRole("listbox", { hidden: true })).getAllByRole("option", { hidden: true }).map(({ textContent }) => textContent)).toEqual(["chat · RevisionsPool of default"]);
    await userEvent.keyboard("{Enter}");
    await screen.findByRole("heading", { name: "chat" });
    expect(address()).toBe(`${POOL}/revisions?tz=utc`);
    expect(screen.queryByRole("combobox", { hidden: true })).toBeNull();
  });
});

describe("the timeline", () => {
  const line = {
    source: "change",
    id: 7,
    at: "2026-11-23T14:00:00Z",
    kind: "Pool",
    team: "default",
    name: "chat",
    type: "Normal",
    title: "update",
    message: "",
    actor: "erin",
    reason: "longer prompts",
    generation: 8,
    count: 1,
    parts: [{ pointer: "/spec/engine/args", before: ["a"], after: ["b"] }],
  };

  it("says who changed what and why, and asks for older lines", async () => {
    server.on("GET /teams", { body: { items: [], next: null } }).on("GET /timeline", ({ url }) =>
      url.searchParams.get("cursor") === "older"
        ? { body: { items: [{ ...line, id: 1, at: "2026-11-22T14:00:00Z", title: "create", actor: "otto", reason: "", parts: [] }], next: null } }
        : { body: { items: [line], next: "older" } },
    );
    openConsole("/timeline?tz=utc");
    const entry = (await screen.findByText("erin")).closest("li")!;
    expect(entry.textContent).toContain("erin changed Pool default/chat to generation 8“longer prompts”");
    expect(entry.textContent).toContain('["a"]  became  ["b"]');
    await userEvent.click(screen.getByRole("button", { name: "Show older" }));
    expect((await screen.findByText("otto")).closest("section")!.getAttribute("aria-label")).toBe("Sunday, 22 November 2026");
  });

  it("tells a move of the autoscaler once, without a generation or a part that says the same", async () => {
    const reason = "h200 2 → 3: 5 requests/s are expected.";
    const parts = [{ pointer: "/targets/h200", before: 2, after: 3 }];
    const items = [
      { ...line, actor: "system:autoscaler", reason, parts },
      { ...line, id: 6, actor: "ada", reason: "lamp scale", parts },
    ];
    server.on("GET /teams", { body: { items: [], next: null } }).on("GET /timeline", { body: { items, next: null } });
    openConsole("/timeline?tz=utc");
    const told = (who: string) => screen.getByText(who).closest("li")!.querySelector("div")!.textContent;
    await screen.findByText("ada");
    expect(told("system:autoscaler")).toBe(`system:autoscaler scaled Pool default/chat“${reason}”`);
    expect(told("ada")).toBe("ada scaled Pool default/chat h200 2 → 3“lamp scale”");
  });

  it("keeps its filters in the address, and asks the server for them", async () => {
    let asked = "";
    server.on("GET /teams", { body: { items: [], next: null } }).on("GET /timeline", ({ url }) => {
      asked = url.search;
      return { body: { items: [], next: null } };
    });
    const { address } = openConsole("/timeline");
    await userEvent.click(await screen.findByRole("radio", { name: "Warnings" }));
    await userEvent.selectOptions(screen.getByLabelText("Kind"), "Pool");
    expect(address()).toBe("/timeline?kind=Pool&type=Warning");
    await screen.findByText("Nothing happened in this stretch of time.");
    await waitFor(() => expect(asked).toContain("kind=Pool&type=Warning"));
  });
});

it("shows the stretch of time that the address names, and leads back to now", async () => {
  let asked: string | null = null;
  server.on(`GET ${POOL}/panels`, { body: { items: [panel({})] } });
  server.on(`GET ${POOL}/panels/ttft`, ({ url }) => {
    asked = url.searchParams.get("from");
    return { body: panel({}) };
  });
  const { address } = openConsole(`${POOL}?from=1795000000&to=1795003600`);
  await waitFor(() => expect(asked).toBe("1795000000"));
  await userEvent.click(screen.getByRole("button", { name: "Back to now" }));
  expect(address()).toBe(POOL);
  await waitFor(() => expect(asked).not.toBe("1795000000"));
});

it("has a page for addresses that lead nowhere", async () => {
  openConsole("/nowhere");
  await screen.findByText("There is no page at this address.");
});
