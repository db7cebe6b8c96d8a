"""Every flow of the console without a mouse, on a seeded week; and what is told to those who hear the page.

At each press of Tab it is asked whether the focus is seen: tests/e2e/hands.js.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from apps.offload.domain.benefit import GIB
from apps.offload.domain.store import StorePage, fault_of, told
from tests.e2e.browsing import chart, csrf_of, settled, wide_page
from tests.e2e.hands import choose, heard, listen, press, tab_to, write
from tests.support.seeded import SeededConsole
from tests.support.wait import wait_until

# the first test may also wait for the week
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CHAT = "/teams/default/pools/chat"


@pytest.fixture(scope="module")
def logged_in(browser: Browser, week: SeededConsole) -> Iterator[Page]:
    with wide_page(browser, week) as page:
        yield page


@pytest.fixture()
def page(logged_in: Page) -> Iterator[Page]:
    yield logged_in
    logged_in.unroute_all(behavior="ignoreErrors")
    logged_in.context.set_offline(False)


def logs_in(page: Page, week: SeededConsole, username: str, password: str) -> int:
    """The answer to somebody else's login, in a session of its own."""
    others = page.context.browser.new_context()
    try:
        return others.request.post(
            f"{week.url}/api/v1/session", data={"username": username, "password": password},
            headers=csrf_of(others, week),
        ).status  # fmt: skip
    finally:
        others.close()


def test_a_token_is_made_copied_and_revoked(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    settled(page, "/settings")
    listen(page)
    tokens = page.get_by_role("region", name="Your API tokens")
    write(page, tokens.get_by_label("What it is for"), "night shift")
    choose(page, tokens.get_by_label("Good for"), "a week")
    tab_to(page, tokens.get_by_label("may only read"))
    page.keyboard.press("Space")
    press(page, tokens.get_by_role("button", name="Make a token"))
    row = tokens.get_by_role("row").filter(has_text="night shift")
    expect(row).to_contain_text("read-only")

    press(page, tokens.get_by_role("button", name="Copy the token"))
    expect(tokens.get_by_text("Copied")).to_be_visible()
    assert heard(page).count("Copied") == 1
    assert page.evaluate("navigator.clipboard.readText()").startswith("lamp_")

    delete = row.get_by_role("button")
    press(page, delete)
    sure = row.get_by_role("button", name="Delete it now")
    expect(sure).to_be_focused()
    page.keyboard.press("Escape")
    expect(sure).to_have_count(0)
    expect(delete).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(row).to_have_count(0)
    expect(page.get_by_role("group", name=re.compile("^Your API tokens"))).to_be_focused()


def test_a_team_is_made_and_its_members_changed(page: Page) -> None:
    settled(page, "/settings")
    write(page, page.get_by_label("New team"), "on-call")
    page.keyboard.press("Enter")
    members = page.get_by_role("region", name="Members of on-call")
    row = members.get_by_role("row").filter(has_text="admin").last
    write(page, members.get_by_label("User name"), "nobody-of-that-name")
    page.keyboard.press("Enter")
    expect(members.get_by_role("alert")).not_to_be_empty()
    write(page, members.get_by_label("User name"), "admin")
    choose(page, members.get_by_label("Role"), "ed")
    press(page, members.get_by_role("button", name="Add or change"))
    expect(row).to_contain_text("editor")
    press(page, row.get_by_role("button", name="Remove admin from on-call"))
    page.keyboard.press("Enter")
    expect(members.get_by_text("Nobody is in this team.")).to_be_visible()
    expect(page.get_by_role("group", name="Members of on-call")).to_be_focused()


def test_a_person_is_made_gets_another_password_and_is_shut_out(page: Page, week: SeededConsole) -> None:
    settled(page, "/settings")
    listen(page)
    users = page.get_by_role("region", name="Users")
    write(page, users.get_by_label("New user"), "grace")
    page.keyboard.press("Enter")
    row = users.get_by_role("row").filter(has_text="grace")
    expect(row).to_contain_text(re.compile("a password.*none yet.*Active", re.S))
    first = users.get_by_role("status").locator("code").inner_text()
    assert logs_in(page, week, "grace", first) == 200
    wait_until(lambda: any("The password of grace" in said for said in heard(page)))

    press(page, row.get_by_role("button", name="New password for grace"))
    page.keyboard.press("Enter")
    expect(users.get_by_role("status").locator("code")).not_to_have_text(first)
    second = users.get_by_role("status").locator("code").inner_text()
    assert (logs_in(page, week, "grace", first), logs_in(page, week, "grace", second)) == (401, 200)

    write(page, users.get_by_label("New user"), "grace")
    page.keyboard.press("Enter")
    expect(users.get_by_text("There is a user grace already.")).to_be_visible()
    press(page, row.get_by_role("button", name="Shut out grace"))
    page.keyboard.press("Enter")
    # "Shut out" stands there before, on the button
    expect(row.get_by_role("button", name="Let in grace")).to_be_visible()
    assert logs_in(page, week, "grace", second) == 401
    press(page, users.get_by_role("row").filter(has_text="admin").get_by_role("button", name="Shut out admin"))
    page.keyboard.press("Enter")
    expect(users.get_by_text("admin is the only administrator who is left")).to_be_visible()


def test_a_robot_gets_a_token_that_works(page: Page, week: SeededConsole) -> None:
    settled(page, "/settings")
    users = page.get_by_role("region", name="Users")
    write(page, users.get_by_label("New user"), "nightly")
    choose(page, users.get_by_label("Who", exact=True), "ro")
    press(page, users.get_by_role("button", name="Make the user"))
    expect(users.get_by_text("A token for nightly")).to_be_visible()
    token = users.get_by_role("status").locator("code").inner_text()
    asked = page.request.get(f"{week.url}/api/v1/session", headers={"Authorization": f"Bearer {token}", "Cookie": ""})
    assert asked.json()["user"]["username"] == "nightly"


def test_ones_own_password_is_not_changed_by_who_does_not_know_it(page: Page) -> None:
    settled(page, "/settings")
    own = page.get_by_role("region", name="Your password")
    write(page, own.get_by_label("Present password"), "not this one")
    write(page, own.get_by_label(re.compile("New password")), "long enough")
    page.keyboard.press("Enter")
    expect(own.get_by_text("this is not your present password")).to_be_visible()


def test_a_webhook_is_made_looked_into_and_deleted(page: Page) -> None:
    settled(page, "/settings")
    hooks = page.get_by_role("region", name="Webhooks")
    write(page, hooks.get_by_label("Name"), "by-keys")
    write(page, hooks.get_by_label("Address"), "https://hooks.example.com/by-keys")
    page.keyboard.press("Enter")
    opener = page.get_by_role("button", name="Messages to default/by-keys")
    press(page, opener)
    messages = page.get_by_role("group", name="Messages to default/by-keys")
    expect(messages).to_be_focused()
    press(page, opener, most=120)
    expect(messages).to_have_count(0)
    expect(opener).to_be_focused()
    press(page, page.get_by_role("button", name="Delete default/by-keys"))
    page.keyboard.press("Enter")
    expect(opener).to_have_count(0)
    expect(page.get_by_role("group", name=re.compile("^Webhooks"))).to_be_focused()


def test_what_if_is_asked_and_two_are_laid_side_by_side(page: Page) -> None:
    settled(page, "/whatif?pool=default/code")
    for label in ("first", "second"):
        write(page, page.get_by_label("Times as many requests"), "0.05")
        write(page, page.get_by_label("Name of the simulation"), label)
        write(page, page.get_by_label("Fixed fleets of up to"), "1")
        press(page, page.get_by_role("button", name="Simulate", exact=True))
        expect(page.get_by_role("button", name=f"Show {label}", exact=True)).to_be_visible()
        expect(page.get_by_role("region", name=label, exact=True)).to_contain_text("Waits for a worker.")
    press(page, page.get_by_role("button", name="Show first", exact=True))
    page.wait_for_url(re.compile(r"a=[0-9a-f-]{36}$"))
    press(page, page.get_by_role("button", name="Beside the other: second"))
    page.wait_for_url(re.compile(r"b=[0-9a-f-]{36}"))
    for label in ("first", "second"):
        expect(page.get_by_role("region", name=label, exact=True)).to_be_visible()
    listen(page)

    def done(route: Route) -> None:
        answered = route.fetch()
        items = [
            {**one, "status": "done" if one["label"] == "first" else "running"} for one in answered.json()["items"]
        ]
        route.fulfill(response=answered, json={"items": items, "next": None})

    page.route(re.compile("/pools/code/simulations$"), done)
    told = "The simulation first is done."
    wait_until(lambda: any(line.startswith(told[:-1]) for line in heard(page)), timeout=30, message="its end is told")
    page.unroute_all(behavior="ignoreErrors")


def test_the_timeline_is_filtered(page: Page) -> None:
    settled(page, "/timeline?range=24h")
    tab_to(page, page.get_by_role("radio", name="Everything"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile("source=change"))
    choose(page, page.get_by_label("Kind"), "Pool")
    page.wait_for_url(re.compile("kind=Pool"))
    write(page, page.get_by_label("Name"), "chat")
    page.wait_for_url(re.compile("name=chat"))
    lines = page.get_by_role("main").get_by_role("listitem")
    expect(lines.filter(has_text="chat").first).to_be_visible()
    expect(lines.filter(has_text="summaries")).to_have_count(0)

    between = page.get_by_text("Between…")
    press(page, between, most=120)
    tab_to(page, page.get_by_label("From"))
    page.keyboard.press("Escape")
    expect(page.get_by_label("From")).to_be_hidden()
    expect(between).to_be_focused()


def test_a_decision_is_opened_made_again_and_exported(page: Page) -> None:
    settled(page, "/decisions")
    choose(page, page.get_by_label("Decision", exact=True), "up")
    page.wait_for_url(re.compile("verb=up"))
    first = page.locator("main details > summary").first
    press(page, first)
    again = page.get_by_role("button", name="Make it again from its inputs")
    listen(page)
    press(page, again)
    wait_until(
        lambda: "The same inputs give the same decision." in heard(page),
        timeout=30, message="the decision is made again", step=0.2,
    )  # fmt: skip
    expect(again).to_be_focused()
    export = page.get_by_role("link", name="Export as JSON")
    with page.expect_download() as coming:
        press(page, export)
    kept = json.loads(Path(coming.value.path()).read_text())
    assert kept["verb"] == "up" and kept["inputs"] and kept["counterfactuals"]
    expect(export).to_be_focused()


def test_a_decision_on_tiers_is_made_again(page: Page) -> None:
    settled(page, "/teams/default/pools/code/offload")
    decided = page.get_by_role("region", name="Decisions on tiers")
    trial = decided.get_by_role("row").filter(has_text="on one replica of h100 first")
    expect(trial).to_contain_text(re.compile("canary.*gain.*Plan written", re.S))
    again = trial.get_by_role("button", name=re.compile("^Replay decision"))
    listen(page)
    press(page, again, most=120)
    expect(trial.get_by_role("status")).to_have_text("The same inputs give the same decision.")
    expect(again).to_be_focused()
    address = re.compile("/offload/decisions/[0-9]+/replay$")
    differs = {"id": 1, "comparable": True, "reason": None, "equal": False, "differs": ["verb"]}
    page.route(address, lambda route: route.fulfill(json=differs))
    page.keyboard.press("Enter")
    expect(trial.get_by_role("status")).to_have_text("It comes out otherwise in: verb.")


def test_the_editor_is_written_in_and_left(page: Page) -> None:
    settled(page, f"{CHAT}/edit?view=yaml")
    editor = page.get_by_role("textbox", name="Declaration as YAML")
    expect(page.get_by_text("Escape, then Tab leaves the editor.")).to_be_visible()
    tab_to(page, editor)
    page.keyboard.press("Control+End")
    page.keyboard.type("\nspec2: 1")
    wrong = page.get_by_role("list", name="What is wrong").get_by_role("listitem")
    expect(wrong).to_contain_text(re.compile(r"line \d+ .*spec2", re.S))
    line = int(re.findall(r"line (\d+)", wrong.inner_text())[0])
    rows = editor.locator(".cm-line").all_inner_texts()
    # the very line that the server means is marked in the margin
    assert rows[line - 1] == "spec2: 1"
    marked = page.locator(".cm-gutter-lint .cm-gutterElement:has(.cm-lint-marker-error)")
    expect(marked).to_have_count(1)
    box, row = marked.bounding_box(), editor.locator(".cm-line").nth(line - 1).bounding_box()
    assert box is not None and row is not None and abs(box["y"] - row["y"]) < 4
    page.keyboard.press("Escape")
    page.keyboard.press("Tab")
    expect(editor).not_to_be_focused()
    tab_to(page, page.get_by_label("Why"), most=5)
    press(page, page.get_by_role("button", name="Discard the draft"))
    expect(wrong).to_have_count(0)


def test_the_declaration_is_shown_as_lamp_takes_it(page: Page) -> None:
    settled(page, f"{CHAT}/yaml")
    declared = page.get_by_role("region", name=re.compile("^Declaration")).locator("pre")
    answered = page.request.get(f"/api/v1{CHAT}?format=yaml")
    assert declared.inner_text().strip() == answered.text().strip()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    listen(page)
    press(page, page.get_by_role("button", name="Copy the YAML"))
    wait_until(lambda: heard(page) == ["Copied"], message="copying is told once")
    assert page.evaluate("navigator.clipboard.readText()") == answered.text()


def test_an_slo_leads_to_what_it_is_of(page: Page) -> None:
    settled(page, "/slos")
    press(page, page.get_by_role("main").get_by_role("link", name="assistant-errors"))
    expect(page.get_by_role("heading", level=1)).to_have_text("assistant-errors")
    expect(page.get_by_role("main")).to_be_focused()
    press(page, page.get_by_role("button", name="As a table").first)
    expect(page.get_by_role("group", name="Calendar as a table").first).to_be_visible()
    press(page, page.get_by_role("main").get_by_role("link", name="assistant", exact=True))
    page.wait_for_url(re.compile("/teams/default/endpoints/assistant$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("assistant")


def test_the_playground_is_asked_and_keeps_the_focus(page: Page) -> None:
    settled(page, "/playground?pool=default/chat")
    write(page, page.get_by_label("Message"), "Is anybody there?")
    page.keyboard.press("Enter")
    # nobody is behind the week
    expect(page.get_by_role("main").get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Message")).to_be_focused()
    press(page, page.get_by_role("button", name="Send"))
    listen(page)
    said = [
        ("start", {"replica": "10.0.0.7:8000", "status": 200}), ("message", {"at": 0.2, "text": "Some"}),
        ("message", {"at": 0.3, "text": "body."}), ("done", {"at": 0.4, "finish": "stop", "completionTokens": 2}),
    ]  # fmt: skip
    stream = "".join(f"event: {event}\ndata: {json.dumps(data)}\n\n" for event, data in said)
    chat = re.compile("/pools/chat/chat$")
    page.route(chat, lambda route: route.fulfill(body=stream, headers={"Content-Type": "text/event-stream"}))
    write(page, page.get_by_label("Message"), "And now?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("list", name="Conversation")).to_contain_text("Somebody.")
    # once and whole, not word by word
    wait_until(
        lambda: [line for line in heard(page) if "body" in line] == ["The model answered in 400 ms: Somebody."],
        timeout=30, message="the answer is told once",
    )  # fmt: skip


def test_a_mark_on_a_chart_takes_the_focus_to_its_decision_and_gives_it_back(page: Page) -> None:
    settled(page, f"{CHAT}/scaling?range=1h")
    mark = chart(page, "Replicas").get_by_role("list", name="Decisions").get_by_role("link").first
    press(page, mark)
    expect(page.get_by_role("group", name=re.compile(r"^Decision \d+"))).to_be_focused()
    page.keyboard.press("Shift+Tab")
    close = page.get_by_role("link", name="Close the decision")
    expect(close).to_be_focused()
    page.keyboard.press("Enter")
    expect(mark).to_be_focused()


def test_a_replica_that_is_not_as_its_peers_is_told_from_them(page: Page) -> None:
    settled(page, f"{CHAT}/latency?range=1h")
    beside = page.get_by_role("region", name=re.compile("^Replicas beside their peers"))
    expect(beside.get_by_role("heading")).to_contain_text("1 outlier, 0 silent")
    slow = beside.get_by_role("row").filter(has_text="State: Outlier")
    expect(slow).to_have_count(1)
    expect(slow).to_contain_text(re.compile(r"\d m?s \(peers \d+(\.\d+)? m?s\)"))
    expect(slow).to_contain_text(re.compile(r"Time to first token \(p95\) is .*; its \d peers have"))
    expect(beside.get_by_role("row").filter(has_text="State: As its peers")).not_to_have_count(0)


def test_a_lost_connection_is_told_once_and_so_is_its_return(page: Page) -> None:
    settled(page, "/")
    expect(page.get_by_text("Updates: Live")).to_be_visible()
    tab_to(page, page.get_by_role("searchbox", name="Filter"))
    listen(page)
    page.context.set_offline(True)
    expect(page.get_by_text("This computer is offline.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("Updates: Live")).to_be_visible()
    expect(page.get_by_text("This computer is offline.")).to_have_count(0)
    told = [line for line in heard(page) if "onnect" in line]
    assert told == [
        "Connection lost. What is shown is the last that was known.",
        "Connected again. What is shown is new.",
    ]
    expect(page.get_by_role("searchbox", name="Filter")).to_be_focused()


def test_skeletons_stand_still_where_motion_is_not_wanted(page: Page) -> None:
    page.route(re.compile(r"/panels/"), lambda route: None)
    for motion, moves in (("no-preference", True), ("reduce", False)):
        page.emulate_media(reduced_motion=motion)
        page.goto(f"{CHAT}/latency")
        expect(chart(page, "Time to first token")).to_have_attribute("data-state", "loading")
        assert page.evaluate("document.getAnimations().length > 0") is moves
    page.emulate_media(reduced_motion="no-preference")


def test_logs_follow_stop_and_say_that_their_pod_is_gone(page: Page) -> None:
    """What the cluster answers is made up: a line more each time, one of them longer than any window."""
    asked = 0
    gone = {"title": "Not found", "status": 404, "detail": "The pool has no pod chat-0.", "errors": []}

    def answer(route: Route) -> None:
        nonlocal asked
        asked += 1
        lines = [f"line {n}" for n in range(60)] + ["long " + "x" * 3000] + [f"new {n}" for n in range(asked)]
        facts = {"pod": "chat-0", "container": "vllm", "containers": ["vllm"], "previous": False, "truncated": True}
        route.fulfill(json={**facts, "lines": lines})

    logs = re.compile(r"/pods/chat-0/logs")
    page.route(logs, answer)
    settled(page, f"{CHAT}/objects?pod=chat-0")
    box = page.get_by_label("Log lines of chat-0")
    end = "box => box.scrollHeight - box.scrollTop - box.clientHeight < 2"
    expect(box).to_contain_text("new 1")
    assert box.evaluate(end), "the newest line is in sight"
    assert box.evaluate("box => box.scrollWidth <= box.clientWidth"), "a long line is broken"
    tab_to(page, box, most=80)
    page.keyboard.press("Home")
    follow = page.get_by_role("button", name="Follow", exact=True)
    expect(follow).to_be_visible()
    # the browser glides there, and where it still does it would carry the box back
    wait_until(lambda: box.evaluate("box => box.scrollTop") == 0, timeout=30, message="the first line is in sight")
    seen = asked
    for _ in range(3):
        page.keyboard.press("Shift+Tab")
    expect(follow).to_be_focused()
    assert asked <= seen + 1, "whoever looks back is left in peace"
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_focused()
    wait_until(lambda: box.evaluate(end), timeout=30, message="it follows again")
    page.unroute(logs)
    page.route(logs, lambda route: route.fulfill(status=404, json=gone))
    lost = page.get_by_role("region", name=re.compile("^Logs of chat-0")).get_by_text("The pool has no pod chat-0.")
    expect(lost).to_be_visible()
    expect(box).to_contain_text("new 1")


# of how many of these colours more than a few pixels of a drawing are
_DRAWN_IN = """(canvas, inks) => {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const counts = inks.map(() => 0);
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] < 60) continue;
    inks.forEach((ink, which) => {
      const near = ink.match(/\\d+/g).every((one, channel) => Math.abs(data[at + channel] - one) < 25);
      if (near) counts[which] += 1;
    });
  }
  return counts.filter((count) => count > 10).length;
}"""


def test_what_is_chosen_is_seen_where_the_system_chooses_the_colours(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    settled(page, f"{CHAT}/latency?range=1h")
    framed = "one => getComputedStyle(one).outlineStyle !== 'none'"
    parts = page.get_by_role("navigation", name="Parts of the pool")
    main = page.get_by_role("navigation", name="Main")
    for chosen, other in (
        (parts.get_by_role("link", name="Latency"), parts.get_by_role("link", name="Cache")),
        (main.get_by_role("link", name="Fleet"), main.get_by_role("link", name="SLOs")),
        (page.locator("label", has_text="1h"), page.locator("label", has_text="6h")),
    ):
        expect(chosen).to_be_visible()
        assert chosen.evaluate(framed) and not other.evaluate(framed)
    drawn = chart(page, "Time to first token")
    expect(drawn).to_have_attribute("data-state", "ok")
    inks = (
        drawn.get_by_role("listitem")
        .locator("svg")
        .evaluate_all("all => all.map((one) => getComputedStyle(one).color)")
    )
    assert len(set(inks)) == len(inks) > 2, "series keep colours of their own"
    canvas = drawn.locator("canvas")
    wait_until(lambda: canvas.evaluate(_DRAWN_IN, inks) == len(inks), message="each is drawn in its colour")
    tab_to(page, drawn.get_by_role("slider"), most=120)
    page.emulate_media(forced_colors="none")


def test_the_volume_of_a_pool_tells_who_keeps_it_and_what_is_wrong(page: Page) -> None:
    """No pool of the seeded week has a volume: its page comes as REST makes it of what an evictor told."""
    folder = StorePage(
        up=True, used=15 * GIB, files=12_400, quota=20 * GIB, volume=100 * GIB, free=0.5 * GIB, growth=2e6,
        full_in=5400.0, canary_ok=True, reuse=420.0, removed=310,
    )  # fmt: skip
    pools = [
        {"pool": name, "usedBytes": used, "quotaBytes": 20 * GIB, "growthBytesPerSecond": 2e6, "worth": None}
        for name, used in (("code", 15 * GIB), ("chat", 3 * GIB))
    ]
    store = {
        **told(folder, fault_of(folder, "kv-cache"), "kv-cache"),
        "worth": None, "pools": pools, "otherTeams": {"pools": 1, "usedBytes": 7 * GIB}, "quotas": None,
    }  # fmt: skip

    def answer(route: Route) -> None:
        real = route.fetch()
        route.fulfill(response=real, json={**real.json(), "store": store})

    page.route(re.compile(r"/api/v1/.*/pools/code/offload(\?|$)"), answer)
    settled(page, "/teams/default/pools/code/offload")
    volume = page.get_by_role("region", name="Volume kv-cache")
    expect(volume).to_contain_text("15 GiB, 75 % of its quota of 20 GiB")
    expect(volume).to_contain_text("99.5 GiB")
    expect(volume).to_contain_text("Volume kv-cache is full: nothing new is stored")
    expect(volume).to_contain_text("310 chunks went since it began")
    expect(volume.get_by_role("row").filter(has_text="chat")).to_contain_text("3 GiB")
    expect(volume).to_contain_text("Pools of other teams hold 7 GiB of it.")
    page.unroute_all(behavior="ignoreErrors")
    settled(page, "/teams/default/pools/code/offload")
    expect(volume).to_have_count(0)
