"""Weights are on the volume before the first replica is made: a pool with a model cache on the embedded cluster."""

from __future__ import annotations

from typing import Any

import pytest

from apps.pools.models import Pool
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    cluster_document,
    condition,
    declare,
    delete,
    drain_until,
    model_document,
    pool,
    pool_document,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


cluster = shared_cluster(nodes=True)


def test_replicas_wait_for_the_weights_and_say_why(cluster: EmbeddedCluster) -> None:
    spec: dict[str, Any] = {
        "modelCache": {"size": "40Gi"},
        "variants": [variant_document(replicas={"min": 1, "max": 1})],
    }
    declare(
        cluster_document(str(cluster.kubeconfig)),
        model_document("tiny", "hf://meta-llama/Llama-3.1-8B-Instruct"),
        model_document("closed", "hf://gated/Llama-3.1-8B-Instruct"),
        pool_document("chat", **spec),
        pool_document("locked", model="closed", **spec),
    )
    drain_until(lambda: pool("chat").status.get("health") == "Healthy", message="chat is healthy")
    weights = condition("chat", "WeightsReady")
    assert (weights["status"], weights["reason"]) == ("True", "Fetched")
    commit = pool("chat").status["weights"]["commit"]
    assert len(commit) == 40 and commit in weights["message"]
    found = cluster.objects("serving")
    job = next(obj for name, obj in found.items() if name.startswith("Job/chat-weights-"))
    assert job["status"]["completionTime"] <= found["Deployment/chat-h200"]["metadata"]["creationTimestamp"]

    drain_until(lambda: "attempt" in condition("locked", "WeightsReady")["message"], message="a fetch has failed")
    assert "Hugging Face refused to give gated/Llama-3.1-8B-Instruct" in condition("locked", "WeightsReady")["message"]
    ready = condition("locked", "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "WaitsForWeights")
    assert "Secret llm-d-hf-token" in ready["message"]
    found = cluster.objects("serving")
    assert "Deployment/locked-h200" not in found
    assert "Deployment/locked-epp" in found

    for name in ("chat", "locked"):
        delete("Pool", name)
    drain_until(lambda: not Pool.objects.exists(), message="the pools are gone")
