"""Four pools on shared accelerators in virtual time: what is played, and the bounds beside it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apps.physics.fleet.fleet import Phase
from apps.physics.fleet.run import Limits
from apps.physics.fleet.types import Arrival
from bench.autoscaling import traces
from bench.autoscaling.scenarios import variant
from bench.standby.clairvoyant import best, met_by_step
from bench.standby.sharing import LIMITS, Arrangement, Result, _pool, _with_bounds, copies, shared, table

KIND = variant("nvidia-h200", 90.0)
SPAN = 300.0
PAIR = Arrangement("a pair", (((0, 1), 1),))


def bursts(*starts: float, count: int = 40) -> list[Arrival]:
    times = [start + 0.5 * index for start in starts for index in range(count)]
    return [Arrival(index, at, 500, 20) for index, at in enumerate(times)]


def test_pools_that_never_meet_share_an_accelerator_without_loss() -> None:
    pools = [bursts(60.0), bursts(260.0)]
    found = shared(PAIR, KIND, pools, seed=1, span=SPAN)
    assert found.attainment >= 0.95
    assert found.wakes >= 2
    bounded = _with_bounds(found, PAIR, KIND, pools, seed=1, span=SPAN)
    assert bounded.clairvoyant is not None and bounded.bound is not None
    assert found.attainment <= bounded.bound
    assert bounded.clairvoyant >= 0.97
    assert bounded.bound == 1.0


def test_pools_that_always_meet_lose_as_much_as_the_bound_says() -> None:
    pools = [bursts(60.0), bursts(60.0)]
    found = _with_bounds(shared(PAIR, KIND, pools, seed=1, span=SPAN), PAIR, KIND, pools, seed=1, span=SPAN)
    assert found.clairvoyant is not None and found.bound is not None
    assert found.attainment <= found.bound <= 0.75
    assert found.clairvoyant >= 0.45, "one of them is served whole"
    apart = shared(replace(PAIR, groups=(((0, 1), 2),)), KIND, pools, seed=1, span=SPAN)
    assert apart.attainment >= 0.95, "with an accelerator more each of them has one"


def met(*at: int, steps: int = 60, each: int = 1) -> np.ndarray:
    counts = np.zeros((3, steps), dtype=np.int32)
    counts[1:, list(at)] = each
    return counts


def test_a_schedule_found_beforehand_pays_for_each_turn() -> None:
    """From one pool to another takes 9 steps (8 in the bound), in the last two of which requests may wait."""
    reach = [best([met(10), met(10 + gap)], 1, bound=False)[0] for gap in range(1, 10)]
    assert reach == [1.0] * 6 + [2.0] * 3
    assert [best([met(10), met(10 + gap)], 1, bound=True)[0] for gap in range(1, 10)] == [1.0] * 5 + [2.0] * 4
    worth, path = best([met(10, each=3), met(11, 12)], 1, bound=False)
    assert worth == 3.0
    assert path[12] == (0,)
    assert best([met(10), met(11)], 2, bound=False)[0] == 2.0


def test_requests_are_counted_by_the_second_they_came_in() -> None:
    counts = met_by_step(KIND, bursts(3.0, count=4), 2, LIMITS, 20.0, seed=1)
    assert counts.shape == (3, 21)
    assert counts[1].nonzero()[0].tolist() == [3, 4]
    assert counts[0].sum() == 0


def test_the_table_says_what_is_saved_and_lost() -> None:
    results = [Result("always", 0.8, 4.0, 1.0), Result("pair", 0.7, 2.0, 9.0, 3, 0.75, 0.9)]
    always, pair = table({1: results, 2: results})
    assert (always["saved"], always["points_lost"], always["bound"]) == (0.0, 0.0, None)
    assert pair["saved"] == 0.5
    assert pair["points_lost"] == pytest.approx(10.0)
    assert pair["clairvoyant"] == 0.75


def test_a_longer_limit_and_fewer_requests_are_what_is_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traces, "azure", lambda name: bursts(60.0, 1200.0, count=500))
    half, whole = copies(1, 0.5), copies(1)
    assert [0.42 < len(mine) / len(all_) < 0.58 for mine, all_ in zip(half, whole, strict=True)] == [True] * 4
    assert set(half[0]) <= set(whole[0])
    pools = [bursts(60.0), bursts(60.0)]
    strict = shared(PAIR, KIND, pools, seed=1, span=SPAN)
    patient = shared(PAIR, KIND, pools, seed=1, span=SPAN, limits=Limits(60.0, 0.2))
    assert strict.attainment < 0.75
    assert patient.attainment == 1.0, "who may wait for a turn loses nothing"


def test_one_that_is_wanted_again_while_it_falls_asleep_starts_no_second_engine() -> None:
    pool = _pool(KIND, 0, bursts(0.0, count=1), 1, seed=1)
    seen = []
    for at in range(1, 24):
        pool.set(0, awake=at not in range(5, 9))
        pool.advance(float(at))
        seen.append((pool.engine(0).phase, pool.holds(0)))
    assert Phase.FALLING_ASLEEP in {phase for phase, _ in seen[5:10]}
    assert seen[-1][0] is Phase.READY, "it is woken once it sleeps"
    assert max(held for _, held in seen) == 1
    assert len(pool.fleet.replicas) == 1


def test_a_holder_with_work_gives_way_in_time_for_what_is_promised_to_who_waits() -> None:
    pools = [bursts(60.0, count=200), bursts(64.0, count=10)]
    limits = Limits(20.0, 0.2)
    found = shared(PAIR, KIND, pools, seed=1, span=SPAN, limits=limits)
    assert found.attainment == 1.0
    assert found.wakes == 3, "and has the turn again"
