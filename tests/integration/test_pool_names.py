"""Names of objects are free or taken: of pools among each other, and of endpoints beside them."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.services import BundleRefused
from apps.pools import selectors
from apps.pools.models import Pool
from tests.support.pools import cluster_document, declare, model_document, pool_document, variant_document

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def place() -> None:
    declare(cluster_document("/nowhere/kubeconfig"), model_document())


def refusal(*documents: dict[str, Any]) -> str:
    with pytest.raises(BundleRefused) as refused:
        declare(*documents)
    (problem,) = refused.value.faults
    assert problem.pointer == "/metadata/name"
    return str(problem.detail)


@pytest.mark.parametrize("name", ["chat-h200", "chat-engines", "chat-epp"])
def test_a_pool_is_not_called_as_an_object_of_another(name: str) -> None:
    declare(pool_document())
    assert f"pool chat has an object named {name} in namespace serving" in refusal(pool_document(name))
    declare(pool_document("chatter"), pool_document("chat-h"))


def test_nor_has_it_an_object_that_is_called_as_another_pool_or_its_objects() -> None:
    declare(pool_document("chat-h200"))
    assert "pool chat-h200 has an object named chat-h200" in refusal(pool_document("chat"))
    declare(pool_document("chat", variants=[variant_document("h100")]))
    assert "an object named chat-h100" in refusal(pool_document("chat-h100"))


def test_an_endpoint_is_not_called_as_a_deployment_of_any_set() -> None:
    turns = {"mode": "active", "idle": "standby", "standby": "shared", "group": "evening", "sets": 2}
    once = variant_document(replicas={"min": 0, "max": 2}, resources={"memory": "32Gi"})
    declare(pool_document(variants=[once], autoscaling=turns))
    spec = {
        "cluster": "embedded",
        "namespace": "serving",
        "models": [{"name": "public", "backends": [{"pool": "chat", "weight": 1}]}],
    }
    endpoint = {"kind": "Endpoint", "metadata": {"name": "chat-h200-2"}, "spec": spec}
    assert "a pool has an object named chat-h200-2" in refusal(endpoint)


def test_of_many_pools_only_those_are_read_whose_names_are_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle of a thousand pools would read a million otherwise."""
    declare(*(pool_document(f"p{number}") for number in range(12)), pool_document("chat"))
    read: list[str] = []
    names_of = selectors.object_names

    def counted(pool: str, *rest: Any) -> frozenset[str]:
        read.append(pool)
        return names_of(pool, *rest)

    monkeypatch.setattr(selectors, "object_names", counted)
    declare(pool_document("chat-long"), pool_document("p"), *(pool_document(f"q{number}") for number in range(5)))
    assert read == ["chat"]
    assert Pool.objects.count() == 20
