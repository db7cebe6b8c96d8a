"""What the model expects of other numbers of replicas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apps.autoscaling.domain.outlook import Views, counterfactuals
from tests.unit.autoscaling.test_contract import L40S, POLICY, run


def _views(missing: list[float], ttft: list[float], tpot: list[float], load: list[float], most: float) -> Views:
    """Of one group with one, two and three replicas."""
    rows = [np.array([row]) for row in ([1.0, 2.0, 3.0], missing, ttft, tpot, load)]
    return Views(*rows, most=np.array([most]))


def test_no_latency_is_told_where_it_would_contradict_the_share_that_misses() -> None:
    """With two, load is below what replicas can do, but a bound on requests at once keeps most of them waiting."""
    views = _views([1.0, 0.97, 0.04], [0.3, 0.009, 0.009], [0.03, 0.005, 0.005], [1.4, 0.7, 0.47], most=0.98)
    one, two, three = counterfactuals(views, 0, 4.0)
    assert (one.ttft_p95, one.tpot_p95) == (None, None)
    assert (two.ttft_p95, two.tpot_p95) == (None, None)
    assert (three.ttft_p95, three.tpot_p95) == (0.009, 0.005)
    assert three.attainment == 0.96


def test_no_latency_is_told_above_the_load_that_a_bound_on_requests_at_once_leaves() -> None:
    views = _views([0.4, 0.2, 0.1], [0.1] * 3, [0.01] * 3, [0.6, 0.3, 0.2], most=0.4)
    one, two, _ = counterfactuals(views, 0, 4.0)
    assert one.ttft_p95 is None
    assert two.ttft_p95 == 0.1


@pytest.mark.parametrize("seats", [4, 8])
def test_a_bound_on_requests_at_once_is_what_a_replica_carries(seats: int) -> None:
    """Requests of 100 tokens last about 2.5 s: by Little's law 16 a second need 40 places."""
    bounded = replace(POLICY, variants=(replace(L40S, max_num_seqs=seats, maximum=40),))
    free, few = run(POLICY, [16.0] * 40, start=3)[-1], run(bounded, [16.0] * 40, start=3)[-1]
    carried = next(given.value or 0.0 for given in few.inputs if given.name == "carries")
    assert carried <= seats / 2.0
    assert few.total * carried >= 0.9 * 16.0
    assert few.total >= 2 * free.total
