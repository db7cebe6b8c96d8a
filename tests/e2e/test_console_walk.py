"""One walk through the console alone, with nothing but the browser: create a pool with an SLO, watch it become healthy,
load it, see it scale and read why, change an engine flag by a plan, break it, read what is wrong, roll back, compare
before and after, find it all in the timeline.

`LAMPLIGHT_SCREENSHOTS=<folder>` keeps a picture of each station.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browsing import DEADLINE_MS, log_in
from tests.support.stack import RunningStack
from tests.support.wait import wait_until

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


def test_from_the_catalogue_to_a_roll_back(page: Page) -> None:
    create(page)
    talk(page)
    with_load(page, "before the change")
    scales_and_says_why(page)
    stop_the_load(page, "before the change")
    picture(page, "05-load-before", whole=True)

    change(page, "Engine arguments", "--max-model-len=8192\n--max-num-seqs=64", why="more at once", restarts=True)
    expect(page.get_by_text("Health: Healthy").first).to_be_visible(timeout=PATIENCE)
    rolled_out(page)
    change(page, "Engine image", "example.com/no-such-engine:v1", why="a mistake", restarts=True)
    wrong = page.get_by_role("group", name="Replicas").get_by_role("row").filter(has_text=re.compile("ImagePull"))
    expect(wrong.first).to_be_visible(timeout=PATIENCE)
    picture(page, "09-broken")

    roll_back(page, 2, broken=3)
    expect(page.get_by_role("group", name="Replicas").get_by_text("ImagePull")).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_text("Health: Healthy").first).to_be_visible(timeout=PATIENCE)
    picture(page, "11-rolled-back")

    with_load(page, "after the change")
    stop_the_load(page, "after the change")
    compare(page)
    find_it_all(page)


def rolled_out(page: Page) -> None:
    page.goto(f"{POOL}/rollout")
    expect(page.get_by_role("main")).to_contain_text("Complete", timeout=PATIENCE)
    page.goto(POOL)


def with_load(page: Page, label: str) -> None:
    """More requests than one replica carries while it takes four at once, for as long as the station lasts."""
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Pools, pages and actions").fill(f"{NAME} load")
    expect(page.get_by_role("option", name=f"{NAME} · Load")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    page.get_by_label("Requests per second").fill("9")
    page.get_by_label("For how long").fill("10m")
    page.get_by_label("What for").fill(label)
    page.get_by_role("button", name="Send the load").click()
    running = page.get_by_role("region", name=f"Load: {label}")
    expect(running.get_by_role("progressbar", name="Progress of the load")).to_be_visible()
    answered(page, label, 40)
    expect(running).to_contain_text("Running")


def answered(page: Page, label: str, least: int) -> None:
    told = (
        page.get_by_role("region", name=f"Load: {label}")
        .locator("dl > div")
        .filter(has_text=re.compile("^Answered[^ ]"))
    )
    wait_until(
        lambda: int(told.locator("dd").first.inner_text().replace(",", "")) >= least, timeout=PATIENCE / 1000, step=0.5,
        message=f"{least} requests of the load are answered",
    )  # fmt: skip


def scales_and_says_why(page: Page) -> None:
    """The autoscaler buys replicas, and says why where it did."""
    page.goto(f"{POOL}/scaling?range=15m")
    why = page.get_by_role("group", name=re.compile("^Decisions")).locator("details").filter(has_text="Decision: Up")
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


def stop_the_load(page: Page, label: str) -> None:
    page.goto(f"{POOL}/load")
    over = page.get_by_role("region", name=f"Load: {label}")
    page.get_by_role("button", name="Stop the load").click()
    expect(over).to_contain_text("The load was stopped:", timeout=PATIENCE)
    promise = over.get_by_role("row").filter(has_text="TTFT within")
    expect(promise).to_contain_text(re.compile(r"Met|Missed"))


def compare(page: Page) -> None:
    """What users got before and after, against what was promised to them."""
    both = page.get_by_role("region", name="Before and after")
    expect(both).to_contain_text(re.compile(r"TTFT p95 (fell|rose|stayed)"))
    expect(both).to_contain_text("the pool went from generation 1 to 4")
    expect(both.get_by_role("row").filter(has_text="TTFT p95")).to_contain_text(re.compile(r"\d m?s.*\d m?s"))
    expect(both.get_by_role("row").filter(has_text="TTFT within")).to_contain_text(
        re.compile(r"(Met|Missed), [\d.]+ %")
    )
    expect(both.get_by_role("list", name="How the loads differ")).to_have_count(0)
    picture(page, "12-before-and-after", whole=True)
    both.get_by_role("link", name="What changed between generation 1 and 4").click()
    expect(page.get_by_role("group", name="Difference")).to_contain_text("--max-num-seqs=64")


def create(page: Page) -> None:
    page.get_by_role("link", name="New pool").click()
    page.get_by_role("button", name="Serve llama-3-1-8b").click()
    page.get_by_label("Longest request").fill("8192")
    picture(page, "01-hardware")
    page.get_by_role("button", name="Choose nvidia-h200").click()
    page.get_by_label("Name", exact=True).fill(NAME)
    page.get_by_label("Replicas at most").fill("3")
    page.get_by_role("button", name="Review").click()
    few_at_once(page)
    expect(page.get_by_role("region", name="Objects")).to_contain_text(f"Deployment {NAME}")
    picture(page, "02-review")
    page.get_by_label("Why").fill("a walk through the console")
    page.get_by_role("button", name="Create the pool").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    expect(page.get_by_text("Health: Healthy").first).to_be_visible(timeout=PATIENCE)
    picture(page, "03-healthy")


def few_at_once(page: Page) -> None:
    """The documents are a draft that may be written in: four requests at once are soon too few for what comes."""
    editor = page.get_by_role("textbox", name="Documents as YAML")
    written = "\n".join(editor.locator(".cm-line").all_inner_texts())
    flag = "- --max-model-len=8192"
    assert flag in written
    editor.click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(written.replace(flag, f"{flag}\n      - --max-num-seqs=4"))
    expect(editor).to_contain_text("--max-num-seqs=4")


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
    changed = ("a walk through the console", "more at once", "a mistake", "there is no such engine")
    for why in (*changed, "before the change", "after the change"):
        expect(lines.filter(has_text=f"“{why}”").first).to_be_visible()
    page.goto(f"/timeline?name={NAME}")
    expect(lines.filter(has_text="The load was stopped").first).to_be_visible()
    picture(page, "13-timeline")


def picture(page: Page, name: str, *, whole: bool = False) -> None:
    folder = os.environ.get("LAMPLIGHT_SCREENSHOTS")
    if folder:
        expect(page.get_by_role("status").filter(has_text=re.compile("^Loading"))).to_have_count(0)
        Path(folder).mkdir(parents=True, exist_ok=True)
        if whole:
            page.evaluate("scrollTo(0, 0)")  # else what stays in view is drawn in the middle of the picture
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=whole)
