"""The made-up week: a function of time whose rows of any length tell the same."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.console.domain.week import STORIES, Story, load, needed, row
from apps.telemetry.domain.signals import Signals, merge

END = 1_795_700_400.0
WEEK = 7 * 86_400
moments = st.integers(0, WEEK // 3600 - 1).map(lambda hour: END - WEEK + hour * 3600)
stories = st.sampled_from(STORIES)


def at(story: Story, moment: float, seconds: float) -> Signals:
    return row(story, moment, seconds, end=END, ready=2, desired=2)


@settings(max_examples=15)
@given(stories, moments)
def test_an_hour_is_what_its_minutes_add_up_to(story: Story, start: float) -> None:
    hour = at(story, start + 3600, 3600)
    minutes = merge([at(story, start + 60 * (n + 1), 60) for n in range(60)])
    # an incident that begins within the hour is seen by minutes only
    whole = all(
        not start < END - edge < start + 3600 for i in story.incidents for edge in (i.start, i.start - i.seconds)
    )
    if whole and "requests" in hour.counts:
        assert minutes.counts["requests"] == pytest.approx(hour.counts["requests"], rel=0.13, abs=60)
        assert minutes.counts["cost:USD"] == pytest.approx(hour.counts["cost:USD"])


@given(stories, moments)
def test_every_request_is_in_its_histograms(story: Story, moment: float) -> None:
    made = at(story, moment, 600)
    for family in ("ttft", "e2e", "gateway.ttft", "prompt_length"):
        if family in made.histograms:
            assert made.histograms[family].total == made.counts["requests"]
    parts = [made.counts.get(f"source_{source}", 0.0) for source in ("computed", "device", "host")]
    assert sum(parts) == pytest.approx(made.counts.get("prompt_tokens", 0.0))


@given(stories, moments)
def test_more_load_is_slower_and_needs_more(story: Story, moment: float) -> None:
    few, many = (row(story, moment, 60, end=END, ready=n, desired=n) for n in (1, 4))
    if few.counts.get("requests"):
        slow, quick = few.histograms["ttft"].quantile(0.95), many.histograms["ttft"].quantile(0.95)
        assert slow is not None and quick is not None and slow >= quick
    assert story.minimum <= needed(story, moment, END) <= story.maximum
    assert load(story, moment, END) >= 0


def test_an_engine_that_does_not_answer_measures_nothing() -> None:
    vision = next(story for story in STORIES if story.name == "vision")
    made = at(vision, END - 60, 60)
    assert (made.targets, made.scraped) == (2, 0) and "connection refused" in made.reason
    assert "requests" not in made.counts and not made.histograms
