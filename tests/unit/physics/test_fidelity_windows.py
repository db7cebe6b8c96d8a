"""Choosing among simulated windows by how they left the engine."""

from __future__ import annotations

from bench.engine_fidelity.windows import SHARE, choose


def draw(running: float, ttft: float, **more: float) -> dict[str, float]:
    return {"running": running, "waiting": 10.0, "kv_usage": 0.5, "drain_s": 4.0, "ttft_p50": ttft, **more}


LEFT = {"running": 200.0, "waiting": 10.0, "kv_usage": 0.5, "drain_s": 4.0}


def test_those_that_left_the_engine_most_alike_are_kept() -> None:
    draws = [draw(150 + number, 1000 - number) for number in range(100)]
    chosen = choose(draws, LEFT)
    assert len(chosen.alike) == SHARE * 100
    assert sorted(each["running"] for each in chosen.alike) == [195 + number for number in range(10)]
    assert 0 < chosen.tolerance < 0.2


def test_the_latencies_that_are_judged_have_no_say() -> None:
    one = choose([draw(150 + number, 1.0) for number in range(100)], LEFT)
    other = choose([draw(150 + number, 1e6 / (number + 1)) for number in range(100)], LEFT)
    assert [each["running"] for each in one.alike] == [each["running"] for each in other.alike]


def test_a_window_that_ended_near_empty_is_not_conditioned() -> None:
    draws = [draw(float(number), 1.0) for number in range(20)]
    assert choose(draws, {**LEFT, "running": 5.0, "waiting": 0.0}).alike == draws
