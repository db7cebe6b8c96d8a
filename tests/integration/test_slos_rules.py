"""PrometheusRules in a cluster that has the kind: made, changed and removed with the SLOs of the pool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.core import services
from apps.slos.kinds import SLO_KIND
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import BY, declare, declare_on, drain, pool, pool_document

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        yield running


def slo(name: str, **objective: Any) -> dict[str, Any]:
    spec = {"targetRef": {"name": "chat"}, "objectives": [{"metric": "ttft", "fraction": "95%", **objective}]}
    return {"kind": "SLO", "metadata": {"name": name}, "spec": spec}


def groups(cluster: EmbeddedCluster) -> dict[str, Any]:
    """Rule groups in the cluster by name."""
    found = cluster.objects("serving").get("PrometheusRule/chat")
    return {group["name"]: group for group in found["spec"]["groups"]} if found else {}


def test_rules_follow_the_slos_of_the_pool(cluster: EmbeddedCluster) -> None:
    declare_on(cluster, pool_document())
    drain()
    assert groups(cluster) == {}
    declare(slo("fast", threshold="500ms"), slo("steady", threshold="1s"))
    assert drain() > 0
    assert set(groups(cluster)) == {"lamplight-slo-fast", "lamplight-slo-steady"}
    # an edit of an SLO is no change of the pool: its rules move, its generation and its engines do not
    before = pool().generation
    engines = cluster.objects("serving")["Deployment/chat-h200"]["metadata"]["generation"]
    declare(slo("fast", threshold="250ms"))
    assert drain() > 0
    assert 'le="0.25"' in str(groups(cluster)["lamplight-slo-fast"])
    assert pool().generation == before
    assert cluster.objects("serving")["Deployment/chat-h200"]["metadata"]["generation"] == engines
    for name in ("fast", "steady"):
        services.delete(SLO_KIND, team="default", name=name, etags=("*",), by=BY)
    assert drain() > 0
    assert groups(cluster) == {}
