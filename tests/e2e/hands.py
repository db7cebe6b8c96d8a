"""The console without a mouse, motion and colours: how it is walked, and what is asked of every page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page

from tests.support.wait import wait_until

_SCRIPT = Path(__file__).with_name("hands.js").read_text()


def _ready(page: Page) -> None:
    if not page.evaluate("'hands' in window"):
        page.evaluate(_SCRIPT)


def unseen(page: Page) -> list[str]:
    """Gives the focus to whatever Tab reaches on the page, one after the other: where it is not seen, and why; what
    answers to a mouse only."""
    _ready(page)
    # to whoever used the keyboard last, the browser shows where the focus is
    page.keyboard.press("Tab")
    return list(page.evaluate("hands.hidden()"))


def moving(page: Page) -> list[str]:
    """What moves by itself though motion is not wanted."""
    _ready(page)
    page.emulate_media(reduced_motion="reduce")
    found = list(page.evaluate("hands.moving()"))
    page.emulate_media(reduced_motion="no-preference")
    return found


def by_colour_alone(page: Page) -> list[str]:
    """Statuses without a shape or a word; lines of one chart that look alike without colours; charts without a table
    beside them."""
    _ready(page)
    return list(page.evaluate("hands.colourAlone()"))


def press(page: Page, goal: Locator, most: int = 90) -> None:
    tab_to(page, goal, most)
    page.keyboard.press("Enter")


def write(page: Page, goal: Locator, words: str) -> None:
    tab_to(page, goal)
    page.keyboard.press("Control+a")
    page.keyboard.type(words)


def choose(page: Page, goal: Locator, letters: str) -> None:
    """In a list of choices, by their first letters."""
    tab_to(page, goal)
    page.keyboard.type(letters)


def tab_to(page: Page, goal: Locator, most: int = 90) -> None:
    """Presses Tab until `goal` has the focus; it must be seen there and at each step of the way."""
    goal.wait_for()
    _ready(page)
    for _ in range(most):
        is_there, here, trouble = goal.evaluate(_WHERE)
        if trouble:
            # what comes late may move or cover it for a moment
            wait_until(
                lambda: goal.evaluate(_WHERE)[2] == "", timeout=10, step=0.05,
                message=f"on the way to {goal} the focus on {here} is seen, which it was not: {trouble}",
            )  # fmt: skip
        if is_there:
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{goal} is not reached by {most} presses of Tab")


_WHERE = """goal => {
  const at = hands.deepest();
  return [goal === at, hands.called(at), at.matches("body, main") ? "" : hands.unseen(at)];
}"""


def listen(page: Page) -> None:
    """From now on, what a screen reader is told politely is kept."""
    _ready(page)
    page.evaluate("hands.listen()")


def heard(page: Page) -> list[str]:
    return list(page.evaluate("window.heard"))
