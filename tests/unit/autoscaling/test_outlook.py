"""What the model expects of other numbers of replicas."""

from __future__ import annotations

from apps.autoscaling.domain.outlook import Views, counterfactuals


def test_no_latency_is_told_where_it_would_contradict_the_share_that_misses() -> None:
    """With two, load is below what replicas can do, but a bound on requests at once keeps most of them waiting."""
    views = Views(
        replicas=[[1.0, 2.0, 3.0]],
        missing=[[1.0, 0.97, 0.04]],
        ttft=[[0.3, 0.009, 0.009]],
        tpot=[[0.03, 0.005, 0.005]],
        load=[[1.4, 0.7, 0.47]],
    )
    one, two, three = counterfactuals(views, 0, 4.0)
    assert (one.ttft_p95, one.tpot_p95) == (None, None)
    assert (two.ttft_p95, two.tpot_p95) == (None, None)
    assert (three.ttft_p95, three.tpot_p95) == (0.009, 0.005)
    assert three.attainment == 0.96
