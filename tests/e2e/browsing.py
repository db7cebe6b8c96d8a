"""What the browser tests share: a Chromium, a tab that hears complaints, axe, widths, the log-in."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from tests.support.stack import PROJECT

AXE = PROJECT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
DEADLINE_MS = 45_000
WIDTHS = (390, 1024, 1440)


class Instance(Protocol):
    """Where the console is, and who may log in."""

    @property
    def base_url(self) -> str: ...
    @property
    def username(self) -> str: ...
    @property
    def password(self) -> str: ...


def chromium_path() -> str | None:
    """LAMPLIGHT_CHROMIUM, else a Chromium on PATH."""
    names = [os.environ.get("LAMPLIGHT_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


@contextmanager
def chromium(*args: str) -> Iterator[Browser]:
    """A headless Chromium; the test is skipped where there is none."""
    path = chromium_path()
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium, or set LAMPLIGHT_CHROMIUM to one")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", *args]
        )
        # deadlines, not waits: a whole instance shares two cores with this browser
        expect.set_options(timeout=DEADLINE_MS)
        yield started
        started.close()


class Tab:
    """A page and what its console complained about."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", lambda said: self.hear(said.text) if said.type == "error" else None)

    def hear(self, complaint: str) -> None:
        # a browser reports every 401 by itself, and that is how the console learns that nobody is logged in
        if "401 (Unauthorized)" not in complaint:
            self.complaints.append(complaint)


def log_in(page: Page, instance: Instance) -> None:
    page.get_by_label("User name").fill(instance.username)
    page.get_by_label("Password").fill(instance.password)
    page.get_by_role("button", name="Log in").click()


def csrf_of(context: BrowserContext, instance: Instance) -> dict[str, str]:
    """The headers without which a session's cookie may not write."""
    context.request.get(f"{instance.base_url}/api/v1/session")
    cookies = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    return {"X-CSRFToken": cookies["csrftoken"], "Referer": instance.base_url}


@contextmanager
def wide_page(browser: Browser, instance: Instance) -> Iterator[Page]:
    """Of somebody who has logged in, 1440 pixels wide. Scripts of tests may ask it what its own policy would refuse."""
    context = browser.new_context(base_url=instance.base_url, bypass_csp=True, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    page.goto("/")
    log_in(page, instance)
    page.get_by_role("navigation", name="Main").wait_for()
    yield page
    context.close()


def chart(page: Page, title: str) -> Locator:
    return page.get_by_role("figure", name=title, exact=True)


def settled(page: Page, address: str) -> None:
    """Goes there and waits until nothing is loading any more."""
    page.goto(address)
    page.get_by_role("main").get_by_role("heading").first.wait_for()
    expect(page.get_by_role("status").filter(has_text=re.compile("^Loading"))).to_have_count(0)


def overflows(page: Page) -> dict[int, int]:
    """CSS pixels by which the page is wider than the window, by the widths where it is."""
    found = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        found[width] = int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
    return {width: over for width, over in found.items() if over > 0}


def shifted(page: Page) -> float:
    """How much what was seen moved while the page loaded: the browser's cumulative layout shift (below 0.1 is good)."""
    return float(
        page.evaluate(
            """() => new Promise((done) => {
                 let sum = 0;
                 const seen = new PerformanceObserver((list) => {
                   for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) sum += value;
                 });
                 seen.observe({ type: "layout-shift", buffered: true });
                 setTimeout(() => { seen.disconnect(); done(sum); }, 50);
               })"""
        )
    )


def violations(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 A and AA in both themes: theme, rule, sentence and the first place of each."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text())
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        # the second theme can differ in its colours only
        rules = "{ type: 'rule', values: ['color-contrast'] }" if theme == "dark" else _ALL_RULES
        result = page.evaluate(f"axe.run({{ runOnly: {rules} }})")
        found += [f"{theme}: {v['id']}: {v['help']} at {v['nodes'][0]['target']}" for v in result["violations"]]
    return found


_ALL_RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
