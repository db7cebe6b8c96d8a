"""What is asked of every page of the console: its address, and what it says when nothing can be read or is there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page, Route, TimeoutError, expect

from tests.e2e.browsing import DEADLINE_MS
from tests.support.stack import PROJECT
from tests.support.wait import wait_until

_ROUTER = PROJECT / "frontend" / "src" / "app" / "router.tsx"
_MADE = re.compile(r"const (\w+) = createRoute\(\{\s*getParentRoute: \(\) => (\w+),\s*(path|id): \"([^\"]*)\"")
# what a page cannot be without, or never asks for anew: who is logged in, the stream, the object that its parts are of
_WHOLE = re.compile(r"/api/v1/(session|stream|teams/[^/]+/pools/[^/?]+(/panels)?|accelerators)$")
_ROWS = re.compile(r"/api/v1/fleet(\?|$)")


def templates() -> list[re.Pattern[str]]:
    """The addresses of the console's router, each as what matches it."""
    source = _ROUTER.read_text()
    made = {name: (parent, path if how == "path" else "") for name, parent, how, path in _MADE.findall(source)}
    assert len(made) == source.count("= createRoute("), "a route is written in a way that is not read here"

    def whole(name: str) -> str:
        parent, path = made[name]
        return (whole(parent) if parent in made else "") + path

    paths = {whole(name).rstrip("/") or "/" for name, (_, path) in made.items() if path}
    return [re.compile(re.sub(r"\\\$\w+", "[^/]+", re.escape(path))) for path in sorted(paths)]


def refuse(page: Page, detail: str, *, fleet: bool) -> None:
    """Whatever is read is refused at once, as something that trying again by itself would not mend; `fleet`: so are the
    rows of pools, which other pages choose from."""

    def answer(route: Route) -> None:
        url = route.request.url
        if route.request.method != "GET" or _WHOLE.search(url) or (_ROWS.search(url) and not fleet):
            route.continue_()
        else:
            route.fulfill(status=403, json={"title": "No", "status": 403, "detail": detail, "errors": []})

    page.route("**/api/v1/**", answer)


def empty(page: Page) -> None:
    """Whatever is a list has nothing in it."""

    def answer(route: Route) -> None:
        if route.request.method != "GET" or re.search(r"/(session|stream|accelerators)$", route.request.url):
            route.continue_()
            return
        got = route.fetch()
        try:
            body = got.json()
        except json.JSONDecodeError:
            route.fulfill(response=got)
            return
        if isinstance(body, dict) and isinstance(body.get("items"), list):
            body = {**body, "items": [], "next": None}
        route.fulfill(response=got, json=body)

    page.route("**/api/v1/**", answer)


def slowly(page: Page, address: str) -> dict[str, float]:
    """Goes there on a network that answers only once what is shown until then was painted, question by question. How
    high frames and charts stood while they were loading, by their titles."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if route.request.method != "GET" or re.search(r"/(session|stream)$", route.request.url):
            route.fallback()
        else:
            held.append(route)

    page.route("**/api/v1/**", hold)
    page.goto(address)
    page.get_by_role("main").locator("*").first.wait_for()
    loading: dict[str, float] = {}
    while (
        wait_until(lambda: held or not _is_loading(page), timeout=30, message=f"{address} asks or has loaded") and held
    ):
        painted(page)
        loading |= heights(page, loading=True)
        now, held[:] = list(held), []
        for route in now:
            route.fallback()
    page.unroute("**/api/v1/**", hold)
    for route in held:
        route.fallback()
    return loading


def painted(page: Page) -> None:
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def heights(page: Page, *, loading: bool) -> dict[str, float]:
    """CSS pixels of the frames of sections and of charts that are, or are not, loading, by their titles."""
    found: dict[str, float] = page.evaluate(_HEIGHTS, loading)
    return found


def _is_loading(page: Page) -> bool:
    return bool(
        page.evaluate(
            "() => [...document.querySelectorAll('[role=status]')].some((one) => /^Loading/.test(one.innerText))"
        )
    )


def anew(page: Page) -> None:
    """Everything that is shown is asked for once more, as a person would have it."""
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Pools, pages and actions").fill("read everything anew")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").wait_for(state="detached")


def cut_off(page: Page, detail: str) -> None:
    """From now on nothing can be read any more but who is logged in."""

    def answer(route: Route) -> None:
        if route.request.method != "GET" or re.search(r"/(session|stream)$", route.request.url):
            route.continue_()
        else:
            route.fulfill(status=403, json={"title": "No", "status": 403, "detail": detail, "errors": []})

    page.route("**/api/v1/**", answer)


def shown(page: Page) -> list[str]:
    """What a page has to show, without its words: its tables with their rows, its drawings."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll("main table, main canvas, main figure svg[role=img]")].map(
                 (one) => `${one.localName} ${one.rows?.length ?? ""}`)"""
        )
    )


def ageless(page: Page) -> list[str]:
    """What does not say since when it could not be read anew."""
    return _lasting(page, lambda: list(page.evaluate(_AGELESS)))


def charts(page: Page) -> list[dict[str, Any]]:
    """The charts of panels: title, state, what stands in each, and whether that is a table."""
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll("main figure[aria-label]")].map((one) => ({
                 title: one.getAttribute("aria-label"), state: one.dataset.state,
                 said: one.innerText.replace(/\\s+/g, " "), table: one.querySelector("table") !== null,
                 caption: one.querySelector("caption")?.textContent ?? "" }))"""
        )
    )


def helpless(page: Page) -> list[str]:
    """Empty places that offer nothing to do: no link, button or command, and no form beside them."""
    return list(page.evaluate(_HELPLESS))


def deaf(page: Page, detail: str = "") -> list[str]:
    """Charts, tables and frames that show neither figures nor words; with `detail` those that hide that it happened."""
    return _lasting(page, lambda: list(page.evaluate(_DEAF, detail)))


def heard_again(page: Page) -> list[str]:
    """Presses what offers to try again until nothing does; what presses did not help, and the alerts that are left."""
    main = page.get_by_role("main")
    again = main.get_by_role("button", name="Try again")
    # what comes may have parts that were not asked for before
    for _ in range(4):
        expect(page.get_by_role("status").filter(has_text=re.compile("^Loading"))).to_have_count(0)
        again.evaluate_all("all => all.forEach((one) => { one.dataset.pressed = 'yes'; one.click(); })")
        try:
            page.wait_for_function("() => !document.querySelector('main button[data-pressed]')", timeout=DEADLINE_MS)
        except TimeoutError:
            return [f"trying again does not help: {main.get_by_role('alert').first.inner_text()}"]
    return _lasting(page, lambda: main.get_by_role("alert").filter(has_text="locked").all_inner_texts())


def _lasting(page: Page, find: Callable[[], list[str]]) -> list[str]:
    """What is still found after a while: on a slow machine a part may be between two states when it is looked at."""
    end = time.monotonic() + DEADLINE_MS / 1000
    while (found := find()) and time.monotonic() < end:
        page.wait_for_timeout(200)
    return found


# a frame is what a Section draws; what is in it comes from the answer that failed, or from what the page has anyway
_DEAF = """(detail) => {
  const main = document.querySelector("main");
  const found = [];
  if (main.innerText.trim() === "") found.push("the page is blank");
  const said = (box) => box.innerText.replace(/\\s+/g, " ").trim();
  const title = (box) =>
    box.getAttribute("aria-label") ?? document.getElementById(box.getAttribute("aria-labelledby"))?.innerText ?? "?";
  for (const chart of main.querySelectorAll("figure")) {
    const silent = detail ? !said(chart).includes(detail) : said(chart) === title(chart);
    if (silent) found.push(`chart ${title(chart)}: ${said(chart)}`);
  }
  for (const table of main.querySelectorAll("table")) {
    if ([...table.tBodies].every((body) => body.rows.length === 0)) found.push("a table without rows");
  }
  for (const frame of main.querySelectorAll("section > [role=group]")) {
    if (said(frame) === "") found.push(`frame ${title(frame)} is blank`);
  }
  if (detail && !main.innerText.includes(detail)) found.push("nothing says what happened");
  return found;
}"""

_HEIGHTS = """(wanted) => {
  const found = {};
  for (const box of document.querySelectorAll("main section > [role=group], main figure[aria-label]")) {
    const title = box.getAttribute("aria-label") ??
      document.getElementById(box.getAttribute("aria-labelledby"))?.firstChild?.data;
    const isLoading = [...box.querySelectorAll("[role=status]")].some((one) => /^Loading/.test(one.innerText));
    if (isLoading === wanted) found[title] = box.getBoundingClientRect().height;
  }
  return found;
}"""

_AGELESS = """() => {
  const main = document.querySelector("main");
  // what was never read has no age: it says that it was not
  const unread = (one) => one.parentElement.querySelector(":scope > [role=alert]") !== null;
  const regions = [...main.querySelectorAll("[data-says=age]")].filter((one) => !unread(one));
  const found = regions.filter((one) => !/not refreshed for ([1-9]\\d* min|\\d+ h)/.test(one.innerText)).map((one) => {
    const box = one.closest("figure, section");
    return `${box?.querySelector("h2, h3")?.innerText ?? "the page"}: ${one.innerText}`;
  });
  if (regions.length === 0) found.push("nothing on the page would say how old it is");
  for (const chart of main.querySelectorAll("figure[aria-label]")) {
    if (chart.dataset.state !== "stale") found.push(`${chart.getAttribute("aria-label")} is ${chart.dataset.state}`);
  }
  return found;
}"""

_HELPLESS = """() =>
  [...document.querySelectorAll("main [data-empty]")]
    .filter((one) => {
      const beside = one.closest("[role=group]")?.querySelector("form");
      return one.querySelector("a, button, code") === null && !beside;
    })
    .map((one) => one.innerText.replace(/\\s+/g, " "))"""
