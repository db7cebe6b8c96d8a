"""What the last half hour says of a number of replicas, and when it says anything at all."""

from __future__ import annotations

import numpy as np
import pytest

from apps.autoscaling.domain import window
from apps.autoscaling.domain.grid import LOADS
from apps.autoscaling.domain.memory import POOL, VARIANT, Memory
from tests.unit.autoscaling.test_contract import POLICY, run

HORIZON = np.array([100.0])
# half of what is above half of a replica's load misses
MISS = np.maximum(LOADS - 0.5, 0.0)[None, :] / 2
ONE = np.zeros(1, dtype=np.int64)


def seen(loads: list[float], ready: float = 2.0) -> Memory:
    """A window of ticks with so much work a second."""
    memory = Memory(POOL.initial[None, :].copy(), VARIANT.initial[None, :].copy())
    memory["crowding"] = 1.0
    for load in loads:
        window.observe(
            memory, np.array([load]), np.array([ready]), np.zeros(1), np.array([10.0]), np.ones(1, dtype=np.bool_)
        )
    return memory


def missed(memory: Memory, replicas: float) -> float:
    return float(window.share_missed(memory, ONE, MISS, np.ones(1), np.array([replicas]))[0])


def familiar(memory: Memory, coming: float) -> bool:
    return bool(window.familiar(memory, np.array([coming]), HORIZON)[0])


def test_a_load_that_a_flat_window_has_seen_is_familiar() -> None:
    memory = seen([0.8] * 60 + [1.0] * 12 + [0.8] * 60)
    assert familiar(memory, 0.9)
    assert not familiar(memory, 1.1)


def test_a_window_that_is_short_or_not_flat_says_nothing() -> None:
    assert not familiar(seen([0.8] * 20), 0.7)
    assert not familiar(seen([0.4] * 90 + [1.0] * 90), 0.7)
    assert not familiar(seen([]), 0.0)


def test_unknown_ticks_are_no_calm_ones() -> None:
    memory = seen([1.0] * 60)
    minutes = memory["minutes"].copy()
    window.observe(memory, np.zeros(1), np.zeros(1), np.zeros(1), np.array([600.0]), np.zeros(1, dtype=np.bool_))
    assert (memory["minutes"] == minutes).all()


def test_the_model_is_believed_where_nothing_was_served_and_corrected_by_what_was() -> None:
    memory = seen([1.4] * 120)
    assert missed(memory, 2.0) == pytest.approx(0.1, abs=0.01)
    assert missed(memory, 3.0) < 0.01
    memory["served"], memory["missed"], memory["missed_least"] = 10_000.0, 400.0, 400.0
    assert missed(memory, 2.0) == pytest.approx(0.04, rel=0.05)
    memory["missed"] = memory["missed_least"] = 3_000.0
    # no more than twice what the model has
    assert missed(memory, 2.0) == pytest.approx(0.2, abs=0.02)


def test_a_single_high_minute_is_no_usual_one_nor_are_highs_that_are_over() -> None:
    def usually(loads: list[float]) -> float:
        return float(window.share_missed(seen(loads), ONE, MISS, np.ones(1), np.array([2.0]), usual=True)[0])

    low = usually([1.0] * 126)
    assert missed(seen([1.0] * 60 + [3.0] * 6 + [1.0] * 60), 2.0) > low + 0.05
    assert usually([1.0] * 60 + [3.0] * 6 + [1.0] * 60) == pytest.approx(low, abs=1e-3)
    assert usually([1.0] * 60 + [3.0] * 12 + [1.0] * 60) > low + 0.05
    assert usually([3.0] * 30 + [1.0] * 90) == pytest.approx(low, abs=1e-3)


def test_lows_of_a_flat_load_take_no_replica_that_its_highs_need() -> None:
    decisions = run(POLICY, ([24.0] * 48 + [16.0] * 48) * 4, start=4)
    moves = [d.verb for d in decisions if d.verb != "hold"]
    assert moves in ([], ["down"])
    # where the highs are not needed any more they do not keep it
    over = run(POLICY, ([24.0] * 48 + [16.0] * 48) * 2 + [12.0] * 240, start=4)
    assert over[-1].total <= 2


def test_a_level_that_is_over_is_told_from_a_calm_by_how_long_it_lasts() -> None:
    def fell(loads: list[float]) -> bool:
        return bool(window.fell(seen(loads))[0])

    level = [1.0] * 132
    assert not fell(level)
    assert not fell(level + [0.5] * 30), "five minutes are a calm"
    assert fell(level + [0.5] * 48)
    assert not fell(level + [0.8] * 48), "a low as shallow as highs are high is none"
    assert not fell([0.5] * 30), "nothing is over that was not there"
    # decided so: what the level needed is kept through a calm, and not for a quarter of an hour after its end
    calm, over = run(POLICY, [24.0] * 180 + [13.0] * 30 + [24.0] * 30), run(POLICY, [24.0] * 180 + [13.0] * 90)
    needed = calm[179].total
    assert {d.total for d in calm[180:]} == {needed}
    assert {d.total for d in over[180:225]} == {needed}
    assert over[-1].total < needed


def test_what_a_flat_load_was_given_stays_for_ten_minutes_unless_the_load_is_over() -> None:
    higher = [14.0] * 120 + [24.0] * 9
    stays, goes = run(POLICY, higher + [14.0] * 120, start=3), run(POLICY, higher + [6.0] * 120, start=3)
    for decisions, early in ((stays, False), (goes, True)):
        up = next(i for i, d in enumerate(decisions) if d.verb == "up")
        down = next(i for i, d in enumerate(decisions[up:]) if d.verb == "down")
        assert (down <= 60) == early
    held = next(d for d in stays if d.binding == "flap")
    assert any(clamp.rule == "flap" and "they stay a while" in clamp.reason for clamp in held.clamps)
    assert stays[-1].total == stays[119].total


def test_bursts_of_a_flat_load_move_nothing_and_a_load_never_seen_does() -> None:
    bursts = ([14.0] * 12 + [17.0] * 6) * 8
    settled = run(POLICY, [14.0] * 40 + bursts, start=3)
    assert {d.total for d in settled[60:]} == {settled[60].total}
    risen = run(POLICY, [14.0] * 40 + bursts + [30.0] * 12, start=3)
    assert risen[-1].total >= 1.5 * settled[-1].total
