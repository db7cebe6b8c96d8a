"""Nodes that come when they are asked for: a start takes as much longer, and what is free now bounds nothing."""

from __future__ import annotations

import pytest

from apps.autoscaling.policies import Facts, policy_of
from apps.clusters.domain.spec import ClusterSpec
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import path_document

POOL = PoolSpec.from_document(path_document("optimized-baseline"))


@pytest.mark.parametrize(
    ("provisioning", "free", "later", "bound"),
    [(None, 0, 0.0, 0), (None, 4, 0.0, 4), ("6m", 0, 360.0, None), ("6m", 4, 0.0, None)],
)
def test_the_start_up_horizon_knows_new_nodes(
    provisioning: str | None, free: int, later: float, bound: int | None
) -> None:
    more = {"provisioning": provisioning} if provisioning else {}
    cluster = ClusterSpec.from_document({"credentials": {"inCluster": True}, **more})
    [usual] = policy_of(POOL, Facts(None, None, [], {}, {}), tick=10.0).variants
    [found] = policy_of(POOL, Facts(None, cluster, [], {}, {"nvidia-h200": free}), tick=10.0).variants
    assert found.startup == pytest.approx(usual.startup + later)
    assert found.available == bound
