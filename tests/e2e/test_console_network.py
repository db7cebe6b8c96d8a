"""The console on its way to a person: a slow network, none, a session that ends, a server that is restarted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.e2e.browsing import DEADLINE_MS, log_in, settled, shifted
from tests.support.seeded import SeededConsole, start_web, up
from tests.support.wait import wait_until

# the first test may also wait for the week
pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

CHAT = "/teams/default/pools/chat"
# as Chromium's developer tools have it: bytes per second, and milliseconds to the first byte
SLOW_3G = {"offline": False, "latency": 400, "downloadThroughput": 62_500, "uploadThroughput": 62_500}


@pytest.fixture(scope="module")
def session(browser: Browser, week: SeededConsole) -> list[object]:
    """The cookies of somebody who is logged in."""
    context = browser.new_context(base_url=week.url)
    page = context.new_page()
    page.goto("/")
    log_in(page, week)
    page.get_by_role("navigation", name="Main").wait_for()
    cookies: list[object] = list(context.cookies())
    context.close()
    return cookies


@pytest.fixture()
def page(browser: Browser, week: SeededConsole, session: list[object]) -> Iterator[Page]:
    """Nothing of the console was ever fetched there."""
    context: BrowserContext = browser.new_context(base_url=week.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    context.add_cookies(session)  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def test_a_first_visit_on_a_slow_network_shows_something_at_once_and_does_not_jump(page: Page) -> None:
    network = page.context.new_cdp_session(page)
    network.send("Network.emulateNetworkConditions", SLOW_3G)
    page.goto("/", wait_until="commit")
    expect(page.get_by_text("Loading the console…")).to_be_visible()
    row = page.get_by_role("link", name="chat", exact=True)
    row.wait_for()
    painted, fetched = page.evaluate(
        """() => [performance.getEntriesByName("first-contentful-paint")[0].startTime,
                  Math.max(...performance.getEntriesByType("resource")
                    .filter(({ name }) => name.endsWith(".js")).map(({ responseEnd }) => responseEnd))]"""
    )
    assert painted < fetched / 2, "there is something to see long before the scripts are there"
    expect(page.get_by_text("Loading the console…")).to_be_hidden()
    expect(page.get_by_role("status").filter(has_text=re.compile("^Loading"))).to_have_count(0)
    assert shifted(page) < 0.1


def test_a_part_that_is_on_its_way_has_its_place(page: Page) -> None:
    held: list[Route] = []
    page.route(re.compile("/assets/Playground.*[.]js"), lambda route: held.append(route))
    settled(page, "/")
    page.get_by_role("link", name="Playground").click()
    expect(page.get_by_role("status").filter(has_text="Loading the page")).to_be_visible()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    for route in held:
        route.continue_()
    expect(page.get_by_role("heading", level=1)).to_have_text("Playground")


def test_a_console_that_cannot_be_fetched_says_so_and_is_there_when_it_can(page: Page) -> None:
    scripts = re.compile("/(assets/.*[.]js|healthz)$")
    page.route(scripts, lambda route: route.abort())
    page.goto("/")
    expect(page.get_by_role("alert")).to_contain_text("The console could not be fetched")
    expect(page.get_by_text("Loading the console…")).to_be_hidden()
    page.unroute(scripts)
    expect(page.get_by_role("link", name="chat", exact=True)).to_be_visible()


def test_a_part_that_cannot_be_fetched_says_so_and_is_there_when_it_can(page: Page) -> None:
    settled(page, "/")
    page.context.set_offline(True)
    page.get_by_role("link", name="Settings").click()
    alert = page.get_by_role("main").get_by_role("alert")
    expect(alert).to_contain_text("This page could not be loaded.")
    expect(alert).to_contain_text("as soon as it answers")
    expect(page.get_by_text("This computer is offline.")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_role("heading", level=1)).to_have_text("Settings")
    expect(page.get_by_role("region", name="Webhooks")).to_be_visible()


def test_offline_is_said_and_ends_by_itself(page: Page) -> None:
    settled(page, "/")
    page.context.set_offline(True)
    expect(page.get_by_text("Updates: Offline")).to_be_visible()
    expect(page.get_by_text("This computer is offline.")).to_be_visible()
    expect(page.get_by_role("link", name="chat", exact=True)).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("Updates: Live")).to_be_visible()


def test_a_session_that_ends_in_the_middle_leads_back_to_the_same_view(page: Page, week: SeededConsole) -> None:
    settled(page, f"{CHAT}/cache?range=6h")
    page.context.clear_cookies()
    page.get_by_role("link", name="Scaling").click()
    expect(page.get_by_label("User name")).to_be_visible()
    log_in(page, week)
    page.wait_for_url(re.compile(re.escape(CHAT) + r"/(scaling|cache)\?range=6h"))
    expect(page.get_by_role("heading", level=1)).to_have_text("chat")


def test_a_restart_of_the_server_is_survived_without_a_reload(page: Page, week: SeededConsole) -> None:
    settled(page, "/")
    page.evaluate("window.neverReloaded = true")
    week.web.process.kill()
    week.web.process.wait(60)
    expect(page.get_by_text("Updates: Live")).to_have_count(0)
    week.web.process = start_web(week.env, int(week.url.rpartition(":")[2]))
    wait_until(lambda: up(week.web), message="the web process answers again")
    expect(page.get_by_text("Updates: Live")).to_be_visible()
    expect(page.get_by_role("link", name="chat", exact=True)).to_be_visible()
    assert page.evaluate("window.neverReloaded") is True
