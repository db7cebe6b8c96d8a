"""One walk through the console alone: create a pool with an SLO, watch it become healthy, change an engine flag by a
plan, load it, see it scale and read why, break it, read what is wrong, roll back, compare, find it all in the timeline.

`LAMPLIGHT_SCREENSHOTS=<folder>` keeps a picture of each station.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import DEADLINE_MS, log_in
from tests.e2e.test_console_browser import browser
from tests.support.stack import LAMP, RunningStack

__all__ = ["browser"]

# several roll-outs of real processes: longer than a smoke test
pytestmark = [pytest.mark.browser, pytest.mark.soak, pytest.mark.timeout(900)]

NAME = "walk"
POOL = f"/teams/default/pools/{NAME}"
PATIENCE = 4 * DEADLINE_MS


@pytest.fixture()
def page(browser: Browser, running_stack: RunningStack) -> Iterator[Page]:
    running_stack.wait_healthy()
    context = browser.new_context(base_url=running_stack.base_url, viewport={"width": 1440, "height": 900})
    context.set_default_timeout(DEADLINE_MS)
    page = context.new_page()
    page.goto("/")
    log_in(page, running_stack)
    page.get_by_role("navigation", name="Main").wait_for()
    yield page
    context.close()
    running_stack.lamp("delete", f"pool/{NAME}", check=False)
    running_stack.lamp("delete", f"slo/{NAME}-latency", check=False)


def test_from_the_catalogue_to_a_roll_back(page: Page, running_stack: RunningStack) -> None:
    create(page)
    talk(page)
    # four requests at once are soon too few: what the load below shows
    change(page, "Engine arguments", "--max-model-len=8192\n--max-num-seqs=4", why="fewer at once", restarts=True)
    expect(page.get_by_text("Health: Healthy").first).to_be_visible(timeout=PATIENCE)
    rolled_out(page, 2)
    picture(page, "05-changed")
    scale_under_load(page, running_stack)

    change(page, "Engine image", "example.com/no-such-engine:v1", why="a mistake", restarts=True)
    wrong = page.get_by_role("group", name="Replicas").get_by_role("row").filter(has_text=re.compile("ImagePull"))
    expect(wrong.first).to_be_visible(timeout=PATIENCE)
    picture(page, "09-broken")

    roll_back(page, 2, broken=3)
    expect(page.get_by_role("group", name="Replicas").get_by_text("ImagePull")).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_text("Health: Healthy").first).to_be_visible(timeout=PATIENCE)
    picture(page, "11-rolled-back")
    find_it_all(page)


def rolled_out(page: Page, generation: int) -> None:
    page.goto(f"{POOL}/rollout")
    expect(page.get_by_role("main")).to_contain_text("Complete", timeout=PATIENCE)
    page.goto(POOL)


def scale_under_load(page: Page, stack: RunningStack) -> None:
    """Its users come; the autoscaler buys replicas, and says why where it did."""
    with users_of(stack):
        page.goto(f"{POOL}/scaling?range=15m")
        why = (
            page.get_by_role("group", name=re.compile("^Decisions")).locator("details").filter(has_text="Decision: Up")
        )
        expect(why.first).to_be_visible(timeout=PATIENCE)
        expect(page.get_by_text(re.compile(r"[23] ready of [23]")).first).to_be_visible(timeout=PATIENCE)
        replicas = page.get_by_role("figure", name="Replicas")
        expect(replicas).to_contain_text(re.compile(r"ready [23]"), timeout=PATIENCE)
        mark = replicas.get_by_role("list", name="Decisions").get_by_role("link")
        mark.first.click()
        decision = page.get_by_role("region", name=re.compile(r"^Decision \d+"))
        expect(decision).to_contain_text(re.compile("requests/s are expected|wait|queue"))
        expect(decision.get_by_role("group", name="Had it been another number")).to_be_visible()
        picture(page, "06-scaled-and-why", whole=True)
        page.goto(f"{POOL}/latency")
        expect(page.get_by_role("figure", name="Time to first token", exact=True)).to_have_attribute("data-state", "ok")
        picture(page, "07-latency")


@contextmanager
def users_of(stack: RunningStack) -> Iterator[None]:
    """More requests than one replica carries, for as long as the station lasts."""
    argv = [LAMP, "load", "--pool", NAME, "--rate", "14", "--duration", "600s", "--output-tokens", "128"]
    env = {**os.environ, "LAMPLIGHT_SERVER": stack.base_url, "LAMPLIGHT_TOKEN": stack.token}
    with subprocess.Popen(argv, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as coming:
        try:
            yield
        finally:
            coming.kill()


def create(page: Page) -> None:
    page.get_by_role("link", name="New pool").click()
    page.get_by_role("button", name="Serve llama-3-1-8b").click()
    page.get_by_label("Longest request").fill("8192")
    picture(page, "01-hardware")
    page.get_by_role("button", name="Choose nvidia-h200").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Replicas at most").fill("3")
    page.get_by_role("button", name="Review").click()
    expect(page.get_by_role("region", name="Objects")).to_contain_text(f"Deployment {NAME}")
    picture(page, "02-review")
    page.get_by_label("Why").fill("a walk through the console")
    page.get_by_role("button", name="Create the pool").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.get_by_text("Health: Healthy").first).to_be_visible(timeout=PATIENCE)
    picture(page, "03-healthy")


def talk(page: Page) -> None:
    page.goto(f"/playground?pool=default/{NAME}")
    page.get_by_label("Message").fill("Why is the sky blue?")
    page.keyboard.press("Enter")
    figures = page.get_by_role("list", name="Conversation").get_by_role("listitem")
    expect(figures).to_contain_text(re.compile(r"TTFT[\d.]+ m?s"))
    expect(figures).to_contain_text(re.compile(r"Generated\d+ tokens"))
    page.get_by_text("Why this replica").click()
    expect(page.get_by_role("group", name=re.compile("^Candidates of"))).to_contain_text("(chosen)")
    picture(page, "04-playground")


def change(page: Page, label: str, value: str, *, why: str, restarts: bool) -> None:
    page.goto(f"{POOL}/edit")
    page.get_by_label(label).fill(value)
    page.get_by_label("Why").fill(why)
    show = page.get_by_role("button", name="Show the plan")
    expect(page.get_by_text("The declaration is accepted")).to_be_visible()
    show.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Plan")
    if restarts:
        expect(page.get_by_role("main")).to_contain_text("restarts pods")
    picture(page, f"plan-{why.replace(' ', '-')}")
    page.get_by_role("button", name="Apply this plan").click()
    page.wait_for_url(re.compile(re.escape(POOL) + r"$"))


def roll_back(page: Page, generation: int, *, broken: int) -> None:
    page.goto(f"{POOL}/revisions")
    page.get_by_role("button", name=f"Changes of generation {broken}").click()
    difference = page.get_by_role("group", name="Difference")
    expect(difference).to_contain_text("no-such-engine")
    picture(page, "10-difference")
    page.get_by_role("button", name=f"Roll back to generation {generation}", exact=True).first.click()
    page.get_by_label("Why").fill("there is no such engine")
    page.get_by_role("region", name=f"Roll back to generation {generation}").get_by_role(
        "button", name=f"Roll back to generation {generation}"
    ).click()
    expect(page.get_by_role("rowheader", name=f"{broken + 1}, declared now")).to_be_visible()
    page.goto(POOL)


def find_it_all(page: Page) -> None:
    page.goto(f"/timeline?name={NAME}&source=change&kind=Pool")
    lines = page.get_by_role("main").get_by_role("listitem")
    for why in ("a walk through the console", "fewer at once", "a mistake", "there is no such engine"):
        expect(lines.filter(has_text=f"“{why}”").first).to_be_visible()
    picture(page, "12-timeline")


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    folder = os.environ.get("LAMPLIGHT_SCREENSHOTS")
    if folder:
        expect(page.get_by_role("status").filter(has_text=re.compile("^Loading"))).to_have_count(0)
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=whole)
