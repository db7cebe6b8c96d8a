"""Charts and badges look as they did: pictures in both themes against those kept in tests/e2e/snapshots.

Charts are drawn by the built console from fixed answers, so that only the drawing can differ. Another browser or font
draws otherwise: `snapshots/made-with.json` says what drew the kept ones, and elsewhere the comparison is skipped with
that reason instead of being wrong. Run by `make e2e` and `make soak`.

`LAMPLIGHT_UPDATE_SNAPSHOTS=1` takes new ones: look at them before you keep them.
"""

from __future__ import annotations

import base64
import json
import math
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.e2e.browsing import chart, chromium, settled, wide_page
from tests.support.seeded import seeded_console

pytestmark = [pytest.mark.browser, pytest.mark.soak, pytest.mark.timeout(900)]

KEPT = Path(__file__).parent / "snapshots"
MADE_WITH = KEPT / "made-with.json"
# share of pixels that may differ by more than a shade
TOLERANCE = 0.03
START, STEP, COUNT = 1_795_600_000, 60, 60
TIMES = [START + STEP * n for n in range(COUNT)]


def wave(n: int, height: float, shift: float = 0.0) -> float:
    return round(height * (1 + 0.4 * math.sin(n / 7 + shift)), 4)


def panel(name: str, **given: Any) -> dict[str, Any]:
    return {
        "name": name, "title": name, "unit": "s", "kind": "line", "state": "ok", "reason": "", "step": STEP,
        "lastSampleAt": TIMES[-1], "series": [], "thresholds": [], **given,
    }  # fmt: skip


def line(key: str, height: float, shift: float = 0.0) -> dict[str, Any]:
    return {"key": key, "label": key, "points": [[at, wave(n, height, shift)] for n, at in enumerate(TIMES)]}


PANELS: dict[str, dict[str, Any]] = {
    "ttft": panel(
        "ttft",
        series=[line("p50", 0.1), line("p95", 0.3, 1), line("p99", 0.5, 2)],
        thresholds=[{"label": "SLO 95 % ≤ 500ms", "value": 0.5}],
    ),
    "itl": panel("itl", state="no_traffic", reason="Nobody asks."),
    "breakdown": panel(
        "breakdown", kind="stacked", series=[line("waiting", 0.1), line("prefill", 0.3), line("decode", 2)]
    ),
    "ttft_heatmap": panel(
        "ttft_heatmap",
        kind="heatmap",
        thresholds=[{"label": "SLO 95 % ≤ 500ms", "value": 0.5}],
        heatmap={
            "buckets": [[0, 0.1], [0.1, 0.2], [0.2, 0.4], [0.4, 0.8], [0.8, None]],
            "columns": [[at, [n % 7, 20 + n % 11, 12, n % 5, n // 50]] for n, at in enumerate(TIMES)],
        },
    ),
}


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with seeded_console("--days", "1") as week, browser() as started:
        same_hands(started)
        with wide_page(started, week) as page:
            yield page


def same_hands(browser: Browser) -> None:
    """Skips where the kept pictures were drawn by another browser or with another font."""
    here = {"chromium": browser.version.partition(".")[0], "font": font()}
    if os.environ.get("LAMPLIGHT_UPDATE_SNAPSHOTS"):
        KEPT.mkdir(exist_ok=True)
        MADE_WITH.write_text(json.dumps(here, indent=2) + "\n")
    kept = json.loads(MADE_WITH.read_text())
    if kept != here:
        pytest.skip(f"the pictures were drawn by {kept}, here it is {here}: take new ones to compare on this machine")


def font() -> str:
    """The font that stands behind `sans-serif` here."""
    if shutil.which("fc-match") is None:
        return "unknown"
    return subprocess.run(["fc-match", "sans-serif"], capture_output=True, text=True, timeout=90).stdout.strip()


def browser() -> Any:
    return chromium("--font-render-hinting=none", "--disable-lcd-text", "--force-device-scale-factor=1")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("line", "Time to first token"),
        ("no-traffic", "Inter-token latency"),
        ("stacked", "Where the time goes, mean of a request"),
        ("heatmap", "Time to first token, distribution"),
    ],
)
def test_a_chart_looks_as_it_did(page: Page, theme: str, name: str, title: str) -> None:
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.route("**/panels/*", answer)
    settled(page, f"/teams/default/pools/chat/latency?from={TIMES[0]}&to={TIMES[-1]}&tz=utc")
    card = chart(page, title)
    expect(card).not_to_have_attribute("data-state", "loading")
    card.scroll_into_view_if_needed()
    compare(page, card, f"{name}-{theme}")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_badges_look_as_they_did(page: Page, theme: str) -> None:
    page.unroute_all()
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    settled(page, "/")
    for name, pool in (("healthy", "chat"), ("degraded", "vision")):
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=pool, exact=True))
        compare(page, row.get_by_role("cell").first, f"badges-{name}-{theme}")


def answer(route: Route) -> None:
    name, _, query = route.request.url.split("/panels/")[1].partition("?")
    if "track=" in query:
        route.fulfill(json=panel(name, state="no_data", reason="Nothing is tried."))
    elif name in PANELS:
        route.fulfill(json=PANELS[name])
    else:
        route.continue_()


def compare(page: Page, what: Locator, name: str) -> None:
    kept = KEPT / f"{name}.png"
    taken = what.screenshot(animations="disabled")
    if os.environ.get("LAMPLIGHT_UPDATE_SNAPSHOTS"):
        KEPT.mkdir(exist_ok=True)
        kept.write_bytes(taken)
        return
    if not kept.exists():
        pytest.fail(f"there is no picture {kept.name}: take it with LAMPLIGHT_UPDATE_SNAPSHOTS=1")
    pictures = [base64.b64encode(one).decode() for one in (kept.read_bytes(), taken)]
    differs = page.evaluate(_DIFFERS, pictures)
    if differs > TOLERANCE:
        other = kept.with_name(f"{name}.now.png")
        other.write_bytes(taken)
        pytest.fail(f"{name}: {differs:.1%} of the pixels differ (at most {TOLERANCE:.0%}); see {other}")


_DIFFERS = """async ([before, now]) => {
  const read = async (text) => {
    const image = new Image();
    image.src = 'data:image/png;base64,' + text;
    await image.decode();
    const canvas = new OffscreenCanvas(image.width, image.height);
    const ctx = canvas.getContext('2d');
    ctx.drawImage(image, 0, 0);
    return ctx.getImageData(0, 0, image.width, image.height);
  };
  const [a, b] = [await read(before), await read(now)];
  if (Math.abs(a.width - b.width) > 8 || Math.abs(a.height - b.height) > 8) return 1;
  const [wide, high] = [Math.min(a.width, b.width), Math.min(a.height, b.height)];
  let differs = 0;
  const far = (p, q) => [0, 1, 2].some((c) => Math.abs(a.data[p + c] - b.data[q + c]) > 48);
  for (let y = 0; y < high; y += 1)
    for (let x = 0; x < wide; x += 1)
      if (far((y * a.width + x) * 4, (y * b.width + x) * 4)) differs += 1;
  return differs / (wide * high);
}"""
