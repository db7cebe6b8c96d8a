"""Every page of the console on a seeded week: axe in both themes, three widths, charts, and states that go wrong.

A web process and a database only: no loops, no cluster. `LAMPLIGHT_SCREENSHOTS=<folder>` keeps a picture of each page.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.e2e.browsing import AXE, DEADLINE_MS, chart, chromium, log_in, overflows, settled, shifted, violations
from tests.e2e.hands import by_colour_alone, moving, unseen
from tests.e2e.plans import PLAN, plan
from tests.e2e.sweeps import (
    ageless,
    anew,
    charts,
    cut_off,
    deaf,
    empty,
    heard_again,
    heights,
    helpless,
    painted,
    refuse,
    shown,
    slowly,
    templates,
)
from tests.support.seeded import SeededConsole
from tests.support.wait import wait_until

# the first test also waits for the week
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

POOL = "/teams/search/pools/summaries"
CHAT = "/teams/default/pools/chat"
TABS = (
    "",
    "/latency",
    "/cache",
    "/scaling",
    "/load",
    "/objects",
    "/rollout",
    "/revisions",
    "/yaml",
    "/edit",
)
ROUTES = (
    "/",
    "/?group=team",
    "/timeline?range=7d",
    "/slos",
    "/teams/search/slos/summaries-latency",
    "/decisions",
    "/whatif?pool=default/chat",
    "/models",
    "/clusters",
    "/playground?pool=default/chat",
    "/settings",
    "/new",
    "/new?step=2&model=llama-3-1-8b",
    *(f"{POOL}{tab}" for tab in TABS),
    "/teams/default/pools/code/offload",
    f"{CHAT}/edit?view=yaml",
    f"{CHAT}/scaling?range=1h&decision=1",
    "/teams/default/pools/vision",
    "/teams/default/endpoints/assistant",
    f"{CHAT}/plans/7",
    "/nowhere",
)
# the browser's measure of what moves while a page loads; above 0.25 it is called poor
MOVES = 0.25
# a line more or less in a legend or a row that came or went in between; anything else is another size
MORE_OR_LESS = 40
# the address of each part of the console, once
EACH = tuple(address for address in ROUTES if address not in ("/?group=team", "/new", "/nowhere"))
# of these, one for each kind of part: lists, panels, trees, forms, a live page; `make soak` walks the others
FEW = (
    "/",
    "/timeline?range=7d",
    "/teams/search/slos/summaries-latency",
    "/clusters",
    "/settings",
    f"{POOL}/latency",
    f"{POOL}/objects",
    f"{POOL}/rollout",
    "/teams/default/pools/code/offload",
    f"{CHAT}/scaling?range=1h&decision=1",
)
walked = pytest.mark.parametrize(
    "addresses",
    [
        pytest.param(FEW, id="few"),
        pytest.param(tuple(one for one in EACH if one not in FEW), id="others", marks=pytest.mark.soak),
    ],
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # fonts and edges as alike as they can be from one machine to the next
    with chromium("--font-render-hinting=none", "--disable-lcd-text", "--force-device-scale-factor=1") as started:
        yield started


@pytest.fixture(scope="module")
def page(browser: Browser, week: SeededConsole) -> Iterator[Page]:
    """Logged in. axe is injected by the tests; the page's own policy would refuse it."""
    context = browser.new_context(base_url=week.url, bypass_csp=True, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("User name").wait_for()
    if AXE.exists():
        assert violations(page) == []
    assert overflows(page) == {}
    page.set_viewport_size({"width": 1440, "height": 900})
    log_in(page, week)
    page.get_by_role("navigation", name="Main").wait_for()
    yield page
    context.close()


@pytest.fixture(autouse=True)
def as_found(page: Page) -> Iterator[None]:
    yield
    page.unroute_all(behavior="ignoreErrors")
    page.context.set_offline(False)
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1440, "height": 900})


def test_every_address_that_the_console_knows_is_looked_at() -> None:
    looked_at = [address.partition("?")[0] for address in (*ROUTES, "/login")]
    known = templates()
    assert len(known) > 20
    assert [one.pattern for one in known if not any(one.fullmatch(address) for address in looked_at)] == []
    assert set(FEW) < set(EACH)


@pytest.mark.parametrize("address", ROUTES)
def test_a_page_is_accessible_and_no_wider_than_its_window(page: Page, address: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: run `npm ci` in frontend/")
    page.route(PLAN, lambda route: route.fulfill(json=plan()))
    if address == "/nowhere":
        page.goto(address)
        page.get_by_text("There is no page at this address.").wait_for()
    else:
        settled(page, address)
    picture(page, address)
    assert shifted(page) < MOVES, "what is loaded moves what is read"
    assert violations(page) == []
    assert unseen(page) == [], "the focus is seen wherever Tab leads"
    assert moving(page) == [], "nothing moves where motion is not wanted"
    assert by_colour_alone(page) == [], "a shape or a word says what a colour says; a table what a chart says"
    assert overflows(page) == {}


def picture(page: Page, address: str) -> None:
    folder = os.environ.get("LAMPLIGHT_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        name = re.sub(r"[^a-z0-9]+", "-", address).strip("-") or "fleet"
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)


def test_the_first_page_says_what_breaches_since_when_and_what_was_done(page: Page) -> None:
    settled(page, "/")
    urgent = page.get_by_role("region", name=re.compile("^Needs attention")).get_by_role("listitem")
    expect(urgent.first).to_contain_text(re.compile("Degraded.*vision.*Not ready for .*: ?CrashLoopBackOff", re.S))
    breach = urgent.filter(has_text="Breached for")
    expect(breach).to_contain_text(re.compile(r"Breached for \d+ .*the error budget is overspent"))
    expect(breach).to_contain_text("The autoscaler")
    breach.get_by_role("link", name="The autoscaler").click()
    page.wait_for_url(re.compile(r"/teams/search/pools/summaries/scaling\?decision=\d+"))
    decision = page.get_by_role("region", name=re.compile(r"^Decision \d+"))
    for part in ("Had it been another number", "Rules", "Clamps", "Inputs"):
        expect(decision.get_by_role("heading", name=part)).to_be_visible()
    # a frame that scrolls sideways hides its last columns from whoever does not try
    cut = decision.get_by_role("group").evaluate_all(
        "all => all.filter((one) => one.scrollWidth > one.clientWidth).length"
    )
    assert cut == 0
    decision.get_by_role("button", name="Make it again from its inputs").click()
    expect(decision.get_by_role("status")).to_contain_text("The same inputs give the same decision.")


def test_a_mark_on_the_chart_opens_the_decision_behind_it(page: Page) -> None:
    settled(page, f"{CHAT}/scaling?range=1h")
    replicas = chart(page, "Replicas")
    expect(replicas).to_have_attribute("data-state", "ok")
    expect(replicas).to_contain_text("asked for by the forecast")
    mark = replicas.get_by_role("list", name="Decisions").get_by_role("link").first
    mark.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"decision=\d+"))
    expect(page.get_by_role("region", name=re.compile(r"^Decision \d+"))).to_contain_text("Rules")
    expect(mark).to_have_attribute("aria-current", "page")
    page.go_back()
    expect(page.get_by_role("region", name=re.compile(r"^Decision \d+"))).to_have_count(0)


def test_a_heatmap_is_drawn_read_aloud_and_a_table(page: Page) -> None:
    settled(page, f"{CHAT}/latency?range=6h")
    heat = chart(page, "Time to first token, distribution")
    slider = heat.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"measured, half within [\d.]+ m?s, 95 % within"))
    shades = (
        "c => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data.filter((_, i) => i % 4 === 3)).size"
    )
    wait_until(lambda: heat.locator("canvas").evaluate(shades) > 5, message="buckets are drawn in many shades")
    heat.get_by_role("button", name="Time to first token, distribution as a table").click()
    expect(heat.get_by_role("columnheader")).to_have_text(["Time", "p50", "p95", "p99"])


def test_the_wizard_says_what_an_slo_takes_and_goes_on_with_it(page: Page) -> None:
    settled(page, "/new?step=2&model=llama-3-1-8b")
    form = page.get_by_role("form", name="Suggest hardware for an SLO")
    form.get_by_label("Requests a second").fill("many")
    form.get_by_role("button", name="Suggest").click()
    found = page.get_by_role("region", name=re.compile("^Suggestions"))
    expect(found.get_by_role("alert")).to_contain_text("requestsPerSecond cannot be many")
    form.get_by_label("Requests a second").fill("60")
    form.get_by_role("button", name="Suggest").click()
    kept = found.get_by_role("row").filter(has_text="Promise: Kept").first
    expect(kept).to_contain_text(re.compile(r"\d+ of \d accel\..*req/s.*USD/h"))
    kept.get_by_role("button", name=re.compile("^Take")).click()
    expect(page.get_by_label("Replicas at most")).not_to_have_value("2")


@pytest.mark.soak
def test_what_if_plays_the_past_and_shows_two_side_by_side(page: Page, week: SeededConsole) -> None:
    settled(page, "/whatif?pool=default/code")
    for label, startup in (("as it is", ""), ("slow start", "400s")):
        page.get_by_label("Name of the simulation").fill(label)
        page.get_by_label("Fixed fleets of up to").fill("1")
        page.get_by_label("Times as many requests").fill("0.05")
        page.get_by_label("Start-up of h100").fill(startup)
        page.get_by_role("button", name="Simulate", exact=True).click()
        expect(page.get_by_role("button", name=f"Show {label}", exact=True)).to_be_visible()
    page.wait_for_url(re.compile(r"a=[0-9a-f-]{36}&b=[0-9a-f-]{36}|b=[0-9a-f-]{36}&a="))
    # what a worker would do
    week.manage(
        "shell", "-c",
        "from apps.whatif import models, services\n"
        "for one in models.Simulation.objects.filter(status='queued'): services.play(one.id)",
    )  # fmt: skip
    for label in ("as it is", "slow start"):
        expect(page.get_by_role("region", name=label, exact=True)).to_contain_text(
            re.compile("lamplight.*static", re.S)
        )
    curve = page.get_by_role("figure", name="Cost against attainment")
    curve.get_by_role("button").click()
    expect(curve.get_by_role("rowheader").filter(has_text=re.compile("slow start.*lamplight"))).to_be_visible()
    assert violations(page) == []


def test_a_webhook_is_made_tested_and_deleted(page: Page) -> None:
    settled(page, "/settings")
    form = page.get_by_role("region", name="Webhooks")
    form.get_by_label("Name").fill("night")
    form.get_by_label("Address").fill("http://127.0.0.1:9/hook")
    form.get_by_role("button", name="Make a webhook").click()
    expect(form.get_by_text("LAMPLIGHT_OUTBOUND_NETWORKS")).to_be_visible()
    form.get_by_label("Address").fill("https://hooks.example.com/night")
    form.get_by_role("button", name="Make a webhook").click()
    page.get_by_role("button", name="Test default/night").click()
    expect(page.get_by_role("region", name="Messages to default/night")).to_contain_text("Waiting")
    # whoever checks signatures with the one that they have takes no message from then on
    page.get_by_role("button", name="New secret for default/night").click()
    page.get_by_role("button", name="Make it now").click()
    made = form.get_by_role("status").filter(has_text="The new signing secret of default/night")
    expect(made).to_contain_text("whsec_")
    page.get_by_role("button", name="Delete default/night").click()
    sure = page.get_by_role("button", name="Delete it now")
    expect(sure).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Delete default/night")).to_have_count(0)


# --- states ---------------------------------------------------------------------------------------------------------
def test_charts_say_no_traffic_no_data_and_errors_in_words(page: Page) -> None:
    settled(page, "/teams/search/pools/nightly-batch/latency")
    expect(chart(page, "Time to first token")).to_have_attribute("data-state", "no_traffic")
    expect(chart(page, "Time to first token")).to_contain_text("No traffic")
    settled(page, "/teams/default/pools/vision/latency")
    expect(chart(page, "Time to first token")).to_have_attribute("data-state", re.compile("no_data|stale"))

    asleep = _problem("The database sleeps.")
    page.route(re.compile(r"/panels/itl\b"), lambda route: route.fulfill(status=503, json=asleep))
    page.goto(f"{CHAT}/latency")
    itl = chart(page, "Inter-token latency")
    expect(itl.get_by_role("alert")).to_contain_text("The database sleeps.")
    page.unroute_all(behavior="ignoreErrors")
    itl.get_by_role("button", name="Try again").click()
    expect(itl).to_have_attribute("data-state", "ok")


@walked
def test_whatever_cannot_be_read_says_why_and_is_read_again_when_asked(page: Page, addresses: tuple[str, ...]) -> None:
    """Every chart and table of a page, in one go."""
    silent = {}
    for address in addresses:
        refuse(page, "The archive is locked.", fleet=address == "/" or address.startswith("/playground"))
        settled(page, address)
        if found := deaf(page, "The archive is locked."):
            silent[address] = found
        page.unroute_all(behavior="ignoreErrors")
        page.route(PLAN, lambda route: route.fulfill(json=plan()))
        if left := heard_again(page):
            silent[f"{address}, tried again"] = left
        page.unroute_all(behavior="ignoreErrors")
    assert silent == {}


@walked
def test_whatever_is_empty_says_so_and_what_to_do(page: Page, addresses: tuple[str, ...]) -> None:
    """No table of headings alone, no blank frame; a link, a button or a command."""
    mute = {}
    for address in addresses:
        empty(page)
        page.route(PLAN, lambda route: route.fulfill(json=plan()))
        settled(page, address)
        if found := deaf(page) + helpless(page):
            mute[address] = found
        page.unroute_all(behavior="ignoreErrors")
    assert mute == {}


@walked
def test_what_was_read_stays_and_says_how_old_it_is(page: Page, addresses: tuple[str, ...]) -> None:
    """Every chart and table of a page whose server refuses to answer for a minute; then what comes on a slow
    network has the size that it had."""
    tab = page.context.new_page()
    tab.clock.install()
    lost, moved = {}, {}
    for address in addresses:
        tab.route(PLAN, lambda route: route.fulfill(json=plan()))
        settled(tab, address)
        painted(tab)
        had, high = shown(tab), heights(tab, loading=False)
        cut_off(tab, "The archive is locked.")
        # lists are read anew once a minute; what waits for an event is asked for by hand
        tab.clock.fast_forward(61_000)
        anew(tab)
        if not OWN.search(address) and (silent := ageless(tab)):
            lost[address] = silent
        if (has := shown(tab)) != had:
            lost[f"{address}, content"] = [f"{had} became {has}"]
        tab.unroute_all(behavior="ignoreErrors")
        tab.route(PLAN, lambda route: route.fulfill(json=plan()))
        loading = slowly(tab, address)
        if jumps := {
            title: (height, high[title])
            for title, height in loading.items()
            if title in high and not UNLIKE.match(title) and abs(height - high[title]) > MORE_OR_LESS
        }:
            moved[address] = jumps
        if (shift := shifted(tab)) >= MOVES:
            moved[f"{address}, shift"] = {"all": (shift, MOVES)}
        tab.unroute_all(behavior="ignoreErrors")
    tab.close()
    assert (lost, moved) == ({}, {})


# what is written there is the writer's own; what changed meanwhile is said when it is sent (412)
OWN = re.compile(r"/edit(\?|$)")
# known to grow: what a decision was made of is read inside its frame
UNLIKE = re.compile(r"Decision \d+$")


# how the server words it, and what the chart must say
TOLD = {
    "no_traffic": "No traffic",
    "no_data": "No data",
    "stale": "Stale",
    "error": "Error",
}


# between them they draw every panel that there is; the overview has some of the same
@pytest.mark.parametrize("tab", ["/latency", "/cache", "/scaling"])
def test_every_chart_tells_its_states_apart_in_words(page: Page, tab: str) -> None:
    """As a chart and as its table: loading at its final size, then each state that the server knows."""
    known: dict[str, dict[str, object]] = {}
    held: list[Route] = []
    page.route(PANEL, lambda route: held.append(route))
    page.goto(f"{CHAT}{tab}")
    wait_until(lambda: _all(page, "loading"), message="all charts are loading")
    titles = {one["title"] for one in charts(page)}
    before = {title: high for title, high in heights(page, loading=True).items() if title in titles}
    assert len(before) > 3
    for route in held:
        route.fallback()
    page.unroute(PANEL)
    wait_until(lambda: not _any(page, "loading"), message="all charts are there")
    after = heights(page, loading=False)
    assert {
        title: (high, after[title]) for title, high in before.items() if abs(high - after[title]) > MORE_OR_LESS
    } == {}
    state = ""

    def answer(route: Route) -> None:
        url = re.sub(r"[?&](from|to)=[^&]*", "", route.request.url)
        if url not in known:
            known[url] = route.fetch().json()
        told = {**known[url], "state": state, "reason": f"Because of {state}.", "cause": None}
        route.fulfill(json={**told, "series": []} if state.startswith("no_") else told)

    page.route(PANEL, answer)
    wrong: dict[str, object] = {}
    for state, word in TOLD.items():
        anew(page)
        wait_until(partial(_all, page, state), timeout=30, message=f"all charts are {state}")
        as_chart = charts(page)
        _turn(page)
        as_table = charts(page)
        _turn(page)
        for one, twin in zip(as_chart, as_table, strict=True):
            said = [f"{word}. Because of {state}." if twin["table"] else f"Because of {state}.", word]
            if not all(words in both["said"] for words in said for both in (one, twin)):
                wrong[f"{one['title']}, {state}"] = (one["said"], twin["said"])
            if twin["table"] and said[0] != twin["caption"]:
                wrong[f"{one['title']}, {state}, table"] = twin["caption"]
            if twin["table"] and state in ("no_traffic", "no_data"):
                wrong[f"{one['title']}, {state}, rows"] = "a table of nothing"
    assert wrong == {}


PANEL = re.compile(r"/panels/[a-z0-9_]+\?")


def _all(page: Page, state: str) -> bool:
    found = charts(page)
    return len(found) > 3 and all(one["state"] == state for one in found)


def _any(page: Page, state: str) -> bool:
    return any(one["state"] == state for one in charts(page))


def _turn(page: Page) -> None:
    """Every chart to its table, or back."""
    page.evaluate(
        "() => document.querySelectorAll('main figure[aria-label] > header button').forEach((one) => one.click())"
    )
    painted(page)


def _problem(detail: str) -> dict[str, object]:
    return {"type": "about:blank", "title": "Problem", "status": 503, "detail": detail, "errors": []}
