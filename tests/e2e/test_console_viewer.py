"""Somebody who may look and no more: every page is read, nothing is refused, and nothing is offered that would be."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect

from tests.e2e.browsing import DEADLINE_MS, csrf_of, log_in, settled, wide_page
from tests.e2e.plans import PLAN, plan
from tests.support.seeded import SeededConsole

# the first test also waits for the week
pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

PASSWORD = "only-to-look-at-it"
CHAT = "/teams/default/pools/chat"
MAY_NOT = re.compile("^Viewers may look, but not ")
# where an editor finds a form or a button that writes, and what a viewer is told there; "" where the rest is of use
WRITES = {
    "/": "",
    "/new": "make a pool",
    "/settings": "",
    "/whatif?pool=default/chat": "start a simulation",
    "/playground?pool=default/chat": "send requests from here",
    CHAT: "",
    f"{CHAT}/load": "send any load",
    f"{CHAT}/rollout": "",
    "/teams/default/pools/code/revisions": "",
    f"{CHAT}/edit": "change a pool",
    f"{CHAT}/plans/7": "apply a plan",
    "/teams/default/pools/code/offload": "",
}
OFFERS = re.compile(
    "^(New pool|Change|Serve .*|Show the plan|Apply this plan|Send|Simulate|Send the load|Roll back.*|Pause|Resume"
    "|Abort.*|Measure bandwidth anew|Make a webhook|Test .*|New secret.*|Delete .*)$"
)


@pytest.fixture(scope="module")
def viewer(browser: Browser, week: SeededConsole) -> Iterator[str]:
    with wide_page(browser, week) as admin:
        headers, asked = csrf_of(admin.context, week), admin.context.request
        wish = {"username": "onlooker", "password": PASSWORD}
        assert asked.post(f"{week.url}/api/v1/users", data=wish, headers=headers).status == 201
        for team in ("default", "search"):
            at = f"{week.url}/api/v1/teams/{team}/members/onlooker"
            assert asked.put(at, data={"role": "viewer"}, headers=headers).ok
    yield "onlooker"


@pytest.fixture(scope="module")
def page(browser: Browser, week: SeededConsole, viewer: str) -> Iterator[Page]:
    context = browser.new_context(base_url=week.url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    page.goto("/")
    log_in(page, SeededConsole(week.url, week.env, week.web, viewer, PASSWORD))
    page.get_by_role("navigation", name="Main").wait_for()
    yield page
    context.close()


def under_way(page: Page) -> None:
    """A plan that waits, a roll-out that can be stopped, a volume whose bandwidth is measured: the week has none."""

    def rollout(route: Route) -> None:
        got = route.fetch()
        route.fulfill(response=got, json={**got.json(), "can": {"pause": True, "resume": False, "abort": True}})

    def offload(route: Route) -> None:
        got = route.fetch()
        standing = got.json()
        host = next(tier for tier in standing["tiers"] if tier["kind"] == "host")
        volume = {**host, "kind": "filesystem"}
        route.fulfill(response=got, json={**standing, "tiers": [*standing["tiers"], volume]})

    page.route(PLAN, lambda route: route.fulfill(json=plan()))
    page.route(re.compile(r"/api/v1/.*/rollout$"), rollout)
    page.route(re.compile(r"/api/v1/.*/pools/code/offload(\?|$)"), offload)


@pytest.mark.parametrize("address", WRITES)
def test_a_viewer_is_offered_nothing_that_would_be_refused(page: Page, address: str) -> None:
    refused: list[str] = []

    def hear(answer: Response) -> None:
        if answer.status == 403:
            refused.append(f"{answer.request.method} {answer.url}")

    page.on("response", hear)
    under_way(page)
    settled(page, address)
    main = page.get_by_role("main")
    if WRITES[address]:
        told = main.get_by_text(MAY_NOT)
        expect(told).to_contain_text(WRITES[address])
        expect(told).to_contain_text("can make you an editor")
    else:
        expect(main.get_by_text(MAY_NOT)).to_have_count(0)
    for role in ("button", "link"):
        expect(main.get_by_role(role, name=OFFERS)).to_have_count(0)
    page.remove_listener("response", hear)
    assert refused == []


def test_an_administrator_is_offered_them(browser: Browser, week: SeededConsole) -> None:
    """What is looked for above is what stands there for others."""
    with wide_page(browser, week) as admin:
        under_way(admin)
        for address in WRITES:
            settled(admin, address)
            main = admin.get_by_role("main")
            offers = main.get_by_role("button", name=OFFERS).or_(main.get_by_role("link", name=OFFERS))
            # the pool's header has one on every tab: what is asked for is that of the tab itself
            of_tab = offers.filter(has_not_text=re.compile("^ ?Change$")) if address.count("/") > 4 else offers
            expect(of_tab.first).to_be_visible()
            expect(main.get_by_text(MAY_NOT)).to_have_count(0)
