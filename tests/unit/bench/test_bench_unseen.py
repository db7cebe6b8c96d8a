"""Workloads drawn anew by every seed: what is said of them is so of their arrivals."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bench.autoscaling import unseen
from bench.autoscaling.scenarios import scenarios, step_time

SECONDS = 3600.0
STEP_TIME = step_time("nvidia-l40s")


def drawn(seed: int, *, flat: bool) -> tuple[unseen.Process, np.ndarray]:
    """The process of a seed, and its requests as rows of time, prompt and output tokens."""
    process = unseen.process(np.random.default_rng(seed), SECONDS, flat=flat)
    made = unseen.arrivals(np.random.default_rng(seed), SECONDS, STEP_TIME, flat=flat)
    return process, np.array([(each.time, each.prompt_tokens, each.output_tokens) for each in made])


def test_every_seed_is_another_process_and_the_same_seed_the_same() -> None:
    scenario = scenarios()["unseen"]
    assert scenario.arrivals(1) == scenario.arrivals(1)
    processes = [unseen.process(np.random.default_rng(seed), SECONDS, flat=False) for seed in range(8)]
    assert all(first != second for first, second in pairwise(processes))
    assert len({len(process.levels) for process in processes}) > 1


@pytest.mark.parametrize("seed", [1, 2])
def test_arrivals_are_in_order_and_requests_within_what_an_engine_takes(seed: int) -> None:
    _, rows = drawn(seed, flat=False)
    assert (np.diff(rows[:, 0]) >= 0).all()
    assert rows[-1, 0] < SECONDS
    assert rows[:, 1].min() >= 8
    assert rows[:, 1].max() <= unseen.LONGEST_PROMPT
    assert rows[:, 2].min() >= 1
    assert rows[:, 2].max() <= unseen.LONGEST_OUTPUT


def test_a_flat_process_stays_at_its_rate_and_another_swings_between_its_levels() -> None:
    _, flat = drawn(1, flat=True)
    parts = np.histogram(flat[:, 0], bins=6, range=(0.0, SECONDS))[0]
    assert parts.max() < 1.25 * parts.min()
    process, swinging = drawn(1, flat=False)
    parts = np.histogram(swinging[:, 0], bins=24, range=(0.0, SECONDS))[0]
    assert 1.4 < parts.max() / parts.min() < 2.0 * process.levels[-1]


def test_some_requests_are_far_longer_than_the_body_of_their_kind() -> None:
    body = unseen.Kind(1000.0, 0.5, 200.0, 0.5, tail=0.0, alpha=1.2)
    tailed = unseen.Kind(1000.0, 0.5, 200.0, 0.5, tail=0.03, alpha=1.2)
    shorter, longer = (unseen._lengths_of(kind, 20_000, np.random.default_rng(2)) for kind in (body, tailed))
    assert np.median(longer[:, 0]) == pytest.approx(np.median(shorter[:, 0]), rel=0.05)
    assert np.percentile(longer[:, 0], 99.8) > 1.8 * np.percentile(shorter[:, 0], 99.8)


def test_the_mix_moves_when_it_is_said_to() -> None:
    process, rows = drawn(2, flat=False)
    before, after = (rows[:, 1][rows[:, 0] < process.moved], rows[:, 1][rows[:, 0] >= process.moved])
    longer_first = process.kinds[0].prompt > process.kinds[1].prompt
    more_of_it = (process.share[1] > process.share[0]) == longer_first
    assert (np.median(after) > np.median(before)) == more_of_it
