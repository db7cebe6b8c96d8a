"""Earlier days and weeks as a forecast, and how far ahead a decision looks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.autoscaling.domain.season import DAY, WEEK, expected_at, horizon_of
from apps.autoscaling.domain.types import State
from apps.pools.domain.paths.holding import hold_seconds
from apps.pools.domain.startup import added, slowest
from tests.unit.autoscaling.test_contract import POLICY, run

NOW = 1_800_000_000.0


def rows(look_back: float, rates: list[float]) -> list[tuple[float, float, float]]:
    begin = NOW - look_back - 600.0
    return [(begin + 600.0 * (i + 1), 600.0, rate * 600.0) for i, rate in enumerate(rates)]


def test_rates_run_straight_between_the_middles_of_rows_and_days_count_alike() -> None:
    yesterday = {DAY: rows(DAY, [2.0, 8.0, 8.0])}
    assert expected_at(yesterday, NOW) == pytest.approx(5.0)
    assert expected_at(yesterday, NOW + 300) == pytest.approx(8.0)
    both = {**yesterday, WEEK: rows(WEEK, [4.0, 4.0, 4.0])}
    assert expected_at(both, NOW + 300) == pytest.approx(6.0)


def test_what_is_far_from_any_row_is_not_known() -> None:
    assert expected_at({}, NOW) is None
    assert expected_at({DAY: []}, NOW) is None
    assert expected_at({DAY: rows(DAY, [2.0])}, NOW + 7200) is None


def test_a_decision_looks_as_far_ahead_as_a_measured_start_and_a_tick() -> None:
    assert horizon_of(POLICY, State()) == 100.0
    started = run(POLICY, [5.0] * 3)[-1].state
    assert horizon_of(POLICY, started) == 100.0
    learned = replace(started, variants={"l40s": (*started.variants["l40s"][:-1], 42.0)})
    assert horizon_of(POLICY, learned) == 52.0


def test_the_slowest_variant_of_the_last_starts_counts() -> None:
    assert slowest({}) is None
    many = added(None, [float(n) for n in range(1, 31)])
    assert len(many["starts"]) == 20
    assert many["p90"] == 28.0
    assert slowest({"a": many, "b": added({"starts": [99.0]}, [3.0])}) == 99.0


@pytest.mark.parametrize(("start_up", "hold"), [(None, 900), (60.0, 900), (720.0, 900), (721.0, 1800), (2000.0, 3600)])
def test_requests_are_held_longer_than_a_start_was_measured_to_take(start_up: float | None, hold: int) -> None:
    assert hold_seconds(start_up) == hold
