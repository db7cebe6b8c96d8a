"""A replica that few sequences at once fill: what it carries, held to a queue played by hand."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from apps.autoscaling.domain.capacity import NO_GOAL, Curve, Goals, curve_of
from apps.autoscaling.domain.grid import LOADS, inverse, look_up
from apps.autoscaling.domain.steps import Engines, Traffic

PROMPT, OUTPUT, GOAL = 1280.0, 256.0, 1.0


def curve(seats: int) -> Curve:
    """An H200 with Llama 3.1 8B in round numbers; every request alike."""
    one = np.ones(1)
    engines = Engines(
        read=0.0043 * one, read_token=4e-6 * one, compute=0.001 * one, compute_token=2e-5 * one,
        attention_pair=2e-10 * one, kv_token=3e-8 * one, prefill_request=1e-4 * one, mixed=1.2 * one,
        kv_tokens=600_000.0 * one, max_num_seqs=float(seats) * one, max_num_batched_tokens=8192.0 * one,
        prefills=np.array([True]), decodes=np.array([True]), factors=np.ones((1, 4)),
    )  # fmt: skip
    traffic = Traffic(
        prompt=np.array([[PROMPT]]), prompt_share=np.ones((1, 1)), output=np.array([[OUTPUT]]),
        output_share=np.ones((1, 1)), cached=np.array([0.8]), dispersion=one,
    )  # fmt: skip
    far = NO_GOAL * one
    return curve_of(engines, traffic, Goals(ttft=GOAL * one, tpot=far, itl=far, e2e=far))


def played(rate: float, seats: int, service: float) -> float:
    """Share of requests that wait longer than the goal for one of `seats` seats."""
    chance = np.random.default_rng(7)
    arrivals = np.cumsum(chance.exponential(1 / rate, 60_000))
    free = [0.0] * seats
    late = 0
    for at in arrivals:
        start = max(at, heapq.heappop(free))
        heapq.heappush(free, start + service)
        late += start - at > GOAL
    return late / len(arrivals)


@pytest.mark.parametrize("rate", [1.0, 1.6, 2.1, 2.4])
def test_who_waits_for_a_seat_misses_the_first_token(rate: float) -> None:
    made = curve(4)
    load = np.array([[rate * made.work]])
    service = OUTPUT * float(look_up(made.means[0], load)[0, 0])
    assert float(look_up(made.miss, load)[0, 0]) == pytest.approx(played(rate, 4, service), abs=0.06)


def test_full_load_is_what_the_seats_allow() -> None:
    made = curve(4)
    carries = float(inverse(made.miss, np.array([0.9]))[0][0] / made.work)
    assert 2.0 < carries < 4 / (OUTPUT * 0.0043)


def test_a_thousand_seats_bound_nothing() -> None:
    few, many = curve(4), curve(1024)
    allowed = np.array([0.05])
    assert inverse(many.miss, allowed)[0] / many.work > 10 * inverse(few.miss, allowed)[0] / few.work


def test_no_share_of_misses_is_negative_however_little_the_load() -> None:
    for seats in (1, 4, 64, 1024):
        made = curve(seats)
        assert (look_up(made.miss, np.linspace(0.0, LOADS[-1], 200)[None, :]) >= 0).all()
