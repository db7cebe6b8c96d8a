"""What a namespace uses and what a quota refuses."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.embedded.apiserver.domain import quota
from apps.embedded.apiserver.domain.status import ApiError


def pod(phase: str = "Running", **requests: str) -> dict[str, Any]:
    container = {"name": "main", "resources": {"requests": requests}}
    return {"metadata": {"name": "p"}, "spec": {"containers": [container]}, "status": {"phase": phase}}


def hard(**limits: str) -> dict[str, Any]:
    return {"metadata": {"name": "q"}, "spec": {"hard": {name.replace("__", "."): it for name, it in limits.items()}}}


def test_pods_are_counted_with_what_they_ask_for_until_they_end() -> None:
    used = quota.usage_of("", "pods", pod(cpu="500m", memory="1Gi"))
    assert used["pods"] == used["count/pods"] == 1
    assert used["cpu"] == used["requests.cpu"] == Decimal("0.5")
    assert used["requests.memory"] == 2**30
    ended = quota.usage_of("", "pods", pod("Succeeded", cpu="1"))
    assert "pods" not in ended
    assert "cpu" not in ended


def test_the_largest_init_container_counts_where_it_asks_for_more() -> None:
    both = pod(cpu="1")
    both["spec"]["initContainers"] = [{"name": "i", "resources": {"requests": {"cpu": "3"}}}]
    assert quota.usage_of("", "pods", both)["cpu"] == 3


def test_what_goes_beyond_is_refused_in_a_sentence() -> None:
    with pytest.raises(ApiError) as refused:
        quota.check(hard(cpu="1"), "", "pods", pod(cpu="600m"), {"cpu": Decimal("0.5")})
    assert refused.value.code == 403
    assert refused.value.message.endswith("exceeded quota: q, requested: cpu=600m, used: cpu=500m, limited: cpu=1")
    quota.check(hard(cpu="1"), "", "pods", pod(cpu="500m"), {"cpu": Decimal("0.5")})
    quota.check(hard(pods="0"), "apps", "deployments", {"metadata": {"name": "d"}}, {})


def test_who_limits_wants_to_know() -> None:
    with pytest.raises(ApiError, match="failed quota: q: must specify memory for: main"):
        quota.check(hard(memory="1Gi", pods="5"), "", "pods", pod(cpu="1"), {})


def test_the_status_shows_what_is_used_of_what_is_limited() -> None:
    status = quota.status_of(hard(cpu="2", memory="4Gi", pods="3"), {"cpu": Decimal("0.5"), "memory": Decimal(2**30)})
    assert status["used"] == {"cpu": "500m", "memory": "1Gi", "pods": "0"}


def test_quotas_with_scopes_are_left_alone() -> None:
    scoped = hard(pods="1")
    scoped["spec"]["scopes"] = ["BestEffort"]
    assert not quota.is_enforced(scoped)
    assert quota.is_enforced(hard(pods="1"))
