"""The console in a real browser on a whole running instance: what a person sees, live and without a mouse."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.browsing import DEADLINE_MS, Tab, chart, log_in
from tests.e2e.hands import heard, listen, press, tab_to, write
from tests.support.stack import RunningStack
from tests.support.wait import wait_until

# the first test also waits for the whole instance
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

POOL_PAGE = "/teams/default/pools/chat"
DRAWN = ("Time to first token", "Inter-token latency", "Prompt tokens by source", "Prefix cache hit rate")


@pytest.fixture()
def tab(browser: Browser, running_stack: RunningStack) -> Iterator[Tab]:
    context = browser.new_context(base_url=running_stack.base_url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    yield Tab(context)
    context.close()


def drawn_pixels(card: Locator) -> int:
    """Pixels of the plot in the colours of the legend: lines and areas, neither axes nor thresholds."""
    return int(
        card.evaluate(
            """card => {
                 const colours = [...card.querySelectorAll("li svg")].map(
                   (mark) => getComputedStyle(mark).color.match(/[0-9]+/g).slice(0, 3).map(Number));
                 const canvas = card.querySelector("canvas");
                 const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
                 let drawn = 0;
                 for (let at = 0; at < data.length; at += 4) {
                   const near = ([r, g, b]) =>
                     Math.abs(r - data[at]) + Math.abs(g - data[at + 1]) + Math.abs(b - data[at + 2]) < 30;
                   if (data[at + 3] > 60 && colours.some(near)) drawn += 1;
                 }
                 return drawn;
               }"""
        )
    )


def test_a_person_logs_in_and_sees_the_pool_serve(tab: Tab, running_stack: RunningStack):
    page = tab.page
    running_stack.wait_healthy()
    page.goto(f"{POOL_PAGE}?range=1h")
    expect(page.get_by_label("User name")).to_be_focused()
    page.get_by_label("User name").fill(running_stack.username)
    page.get_by_label("Password").fill("not the password")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("do not belong together")

    page.get_by_label("Password").fill(running_stack.password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(re.escape(POOL_PAGE) + r"\?range=1h$"))
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Fleet").click()

    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="chat", exact=True))
    expect(row).to_contain_text("Sync: Synced")
    expect(row).to_contain_text("Health: Healthy")
    expect(row).to_contain_text("2 / 2")
    expect(row).to_contain_text("embedded")
    expect(page.get_by_role("status").filter(has_text="Updates")).to_contain_text("Live")

    row.get_by_role("link", name="chat").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("chat")
    pods = page.get_by_role("group", name="Replicas").get_by_role("row")
    expect(pods.filter(has_text="Readiness: Ready")).to_have_count(2)
    expect(
        page.get_by_role("group", name="Conditions").get_by_role("rowheader", name="Ready", exact=True)
    ).to_be_visible()
    expect(page.get_by_role("group", name="Events").get_by_role("row").nth(1)).to_be_visible()
    assert tab.complaints == []


def test_charts_are_drawn_from_the_demo_traffic(tab: Tab, running_stack: RunningStack):
    page = tab.page
    page.goto(f"{POOL_PAGE}?tz=utc")
    log_in(page, running_stack)
    for title in DRAWN:
        card = chart(page, title)
        expect(card).to_have_attribute("data-state", "ok", timeout=2 * DEADLINE_MS)
        expect(card.locator("canvas")).to_be_visible()
        # two points of a fresh instance are a short line; it grows with every scrape
        wait_until(lambda card=card: drawn_pixels(card) > 20, message=f"the chart {title} is drawn", step=0.5)

    ttft = chart(page, "Time to first token")
    ttft.get_by_role("slider").focus()
    page.keyboard.press("End")
    expect(ttft.get_by_role("slider")).to_have_attribute("aria-valuetext", re.compile(r"UTC: p50 [\d.]+ m?s, p95 "))
    page.keyboard.press("ArrowLeft")
    hits = chart(page, "Prefix cache hit rate").get_by_role("slider")
    expect(hits).to_have_attribute("aria-valuetext", re.compile(r"prompt tokens from cache"))

    ttft.get_by_role("button", name="Time to first token as a table").click()
    table = ttft.get_by_role("region", name="Time to first token, as a table")
    expect(table.get_by_role("columnheader")).to_have_text(["Time", "p50", "p95", "p99"])
    expect(table.get_by_role("cell").filter(has_text=re.compile(r"\d m?s")).first).to_be_visible()
    assert tab.complaints == []


def test_a_change_appears_without_a_reload(tab: Tab, running_stack: RunningStack):
    page = tab.page
    running_stack.wait_healthy()
    page.goto(POOL_PAGE)
    log_in(page, running_stack)
    pods = page.get_by_role("group", name="Replicas").get_by_role("row")
    expect(pods.filter(has_text="Readiness: Ready")).to_have_count(2)
    page.evaluate("window.neverReloaded = true")
    try:
        running_stack.lamp("scale", "pool/chat", "--replicas", "3")
        expect(page.get_by_text("3 ready of 3")).to_be_visible(timeout=2 * DEADLINE_MS)
        expect(pods.filter(has_text="Readiness: Ready")).to_have_count(3)
    finally:
        running_stack.lamp("scale", "pool/chat", "--replicas", "2")
    expect(page.get_by_text("2 ready of 2")).to_be_visible(timeout=2 * DEADLINE_MS)
    assert page.evaluate("window.neverReloaded") is True
    assert tab.complaints == []


def test_the_way_to_a_pool_needs_no_mouse(tab: Tab, running_stack: RunningStack):
    page = tab.page
    page.goto("/")
    log_in(page, running_stack)
    page.get_by_role("link", name="chat", exact=True).wait_for()
    page.locator("body").evaluate("body => { body.tabIndex = -1; body.focus(); body.removeAttribute('tabindex'); }")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    tab_to(page, page.get_by_role("link", name="chat", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("chat")
    expect(page.get_by_role("main")).to_be_focused()
    tab_to(page, page.get_by_role("radio", name="15m"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"\?range=1h$"))
    tab_to(page, page.get_by_role("radio", name="Browser time"))
    page.keyboard.press("ArrowRight")
    page.wait_for_url(re.compile(r"\?range=1h&tz=utc$"))
    tab_to(page, chart(page, "Time to first token").get_by_role("slider"))


def test_a_pool_is_made_changed_and_rolled_back_without_a_mouse(tab: Tab, running_stack: RunningStack):
    page = tab.page
    running_stack.wait_healthy()
    page.goto("/")
    log_in(page, running_stack)
    page.get_by_role("link", name="chat", exact=True).wait_for()
    try:
        the_palette_holds_the_focus_and_gives_it_back(page)
        listen(page)
        page.keyboard.press("Control+k")
        page.get_by_role("combobox", name="Pools, pages and actions").wait_for()
        page.keyboard.type("new pool")
        page.keyboard.press("Enter")
        press(page, page.get_by_role("button", name="Serve llama-3-1-8b"))
        press(page, page.get_by_role("button", name="Choose nvidia-h200"))
        write(page, page.get_by_label("Name", exact=True), "by-keys")
        press(page, page.get_by_role("button", name="Review"))
        expect(page.get_by_role("region", name="Objects")).to_contain_text("Deployment by-keys")
        write(page, page.get_by_label("Why"), "no mouse at hand")
        press(page, page.get_by_role("button", name="Create the pool"))
        expect(page.get_by_role("heading", level=1)).to_have_text("by-keys")

        expect(page.get_by_text("Health: Healthy").first).to_be_visible()
        press(page, page.get_by_role("link", name="Change", exact=True))
        write(page, page.get_by_label("Engine arguments"), "--max-model-len=4096")
        write(page, page.get_by_label("Why"), "shorter")
        expect(page.get_by_text("The declaration is accepted")).to_be_visible()
        press(page, page.get_by_role("button", name="Show the plan"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("Plan")
        press(page, page.get_by_role("button", name="Apply this plan"))
        expect(page.get_by_role("heading", level=1)).to_have_text("by-keys")
        ended = "The roll-out of generation 2 ended. by-keys is Healthy"
        wait_until(
            lambda: any(line.startswith(ended) for line in heard(page)), timeout=DEADLINE_MS / 1000, step=0.3,
            message="it is told that the roll-out ended",
        )  # fmt: skip

        press(page, page.get_by_role("navigation", name="Parts of the pool").get_by_role("link", name="Revisions"))
        press(page, page.get_by_role("button", name="Roll back to generation 1"))
        reason = page.get_by_role("region", name="Roll back to generation 1").get_by_label("Why")
        expect(reason).to_be_focused()
        page.keyboard.type("it was better before")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("rowheader", name="3, declared now")).to_be_visible()
        # whatever is told again and again is said once, and what was asked for is said when it is there
        told = heard(page)
        for once in ("The pool by-keys is declared.", "Applied. by-keys is declared anew", ended, "Rolled back:"):
            assert sum(line.startswith(once) for line in told) == 1, (once, told)
        assert sum(bool(re.match(r"Plan \d+ is ready: ", line)) for line in told) == 1, told
    finally:
        running_stack.lamp("delete", "pool/by-keys", check=False)


def the_palette_holds_the_focus_and_gives_it_back(page: Page) -> None:
    before = page.get_by_role("searchbox", name="Filter")
    before.focus()
    page.keyboard.press("Control+k")
    dialog = page.get_by_role("dialog", name="Go to")
    expect(dialog.get_by_role("combobox")).to_be_focused()
    for key in ("Tab", "Tab", "Tab", "Shift+Tab"):
        page.keyboard.press(key)
        # the browser's own controls come between the last and the first; nothing of the page below does
        assert page.evaluate("document.activeElement === document.body || !!document.activeElement.closest('dialog')")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(before).to_be_focused()


def test_a_load_is_sent_watched_stopped_and_compared_without_a_mouse(tab: Tab, running_stack: RunningStack):
    page = tab.page
    running_stack.wait_healthy()
    page.goto(f"{POOL_PAGE}/load")
    log_in(page, running_stack)
    form = page.get_by_role("group", name=re.compile("^Send a load"))
    form.wait_for()
    listen(page)
    for label, long in (("first", "10m"), ("second", "5s")):
        write(page, form.get_by_label("Requests per second"), "3")
        write(page, form.get_by_label("For how long"), long)
        write(page, form.get_by_label("What for"), label)
        page.keyboard.press("Enter")
        shown = page.get_by_role("region", name=f"Load: {label}")
        expect(page.get_by_role("group", name=f"Load: {label}")).to_be_focused()
        if label == "first":
            answered = shown.locator("dl > div").filter(has_text=re.compile(r"^Answered[1-9]"))
            answered.wait_for()
            press(page, page.get_by_role("button", name="Stop the load"))
            expect(shown).to_contain_text("The load was stopped:")
        else:
            expect(shown).to_contain_text("The load ended:")
        form.wait_for()
        assert page.evaluate("document.activeElement !== document.body"), "the focus is kept"
    ends = [line for line in heard(page) if line.startswith("The load ")]
    assert len(ends) == 2 and "The load was stopped:" in ends[0], ends
    both = page.get_by_role("region", name="Before and after")
    expect(both.get_by_role("row").filter(has_text="TTFT p95")).to_contain_text(re.compile(r"\d m?s.*\d m?s"))
    press(page, page.get_by_role("button", name="Show first", exact=True), most=90)
    expect(page.get_by_role("group", name="Load: first")).to_be_focused()
    assert tab.complaints == []


def test_logs_of_a_pod_take_the_focus_and_give_it_back(tab: Tab, running_stack: RunningStack):
    page = tab.page
    running_stack.wait_healthy()
    page.goto(f"{POOL_PAGE}/objects")
    log_in(page, running_stack)
    opener = page.get_by_role("button", name=re.compile("^Logs of ")).first
    pod = (opener.get_attribute("aria-label") or "").removeprefix("Logs of ")
    press(page, opener, most=90)
    expect(page.get_by_role("group", name=re.compile(f"^Logs of {pod}"))).to_be_focused()
    expect(page.get_by_label(f"Log lines of {pod}")).to_contain_text("INFO")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_label(f"Log lines of {pod}")).to_have_count(0)
    expect(opener).to_be_focused()
    assert tab.complaints == []


def test_two_tabs_share_one_stream(browser: Browser, running_stack: RunningStack):
    context = browser.new_context(base_url=running_stack.base_url)
    try:
        first = context.new_page()
        first.goto("/")
        log_in(first, running_stack)
        expect(first.get_by_text("Updates: Live")).to_be_visible()
        second = context.new_page()
        second.goto(POOL_PAGE)
        expect(second.get_by_text("Updates: Live")).to_be_visible()
        for page in (first, second):
            streams = page.evaluate(
                "performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/stream')).length"
            )
            assert streams == 0, "the stream belongs to the shared worker, not to a tab"
    finally:
        context.close()
