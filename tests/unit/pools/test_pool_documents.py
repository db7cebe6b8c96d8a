"""Pool documents through the door of all documents: what is refused, with place and sentence, and what is kept."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.clusters.models import Cluster
from apps.core.domain.refusals import Clash, Fault, Invalid
from apps.core.services import BundleRefused
from apps.pools import services
from apps.pools.domain.spec import ReplicaBounds
from apps.pools.models import Pool, PoolRevision, ReplicaTarget
from apps.reconcile.domain.priority import Priority
from apps.reconcile.models import QueueItem
from tests.support.pools import (
    cluster_document,
    declare,
    delete,
    model_document,
    pool,
    pool_document,
    variant_document,
)

SHAPE = {"layers": 32, "heads": 32, "kvHeads": 8, "headDim": 128}


@pytest.fixture
def world(db: None) -> None:
    model = model_document()
    model["spec"]["shape"] = SHAPE
    declare(cluster_document("/nowhere", namespaces=["serving", "other"]), model)
    Cluster.objects.update(
        status={
            "accelerators": [
                {
                    "resource": "nvidia.com/gpu",
                    "vendor": "nvidia",
                    "product": "NVIDIA-H200",
                    "nodes": 2,
                    "largestNode": 8,
                }
            ]
        }
    )


def refused(document: dict[str, Any]) -> list[Fault]:
    with pytest.raises(BundleRefused) as caught:
        declare(document)
    assert not Pool.objects.exists()
    return list(caught.value.faults)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("spec", "pointer", "words"),
    [
        ({"model": "tinny"}, "/spec/model", "did you mean tiny"),
        ({"cluster": "moon"}, "/spec/cluster", "no Cluster named moon"),
        ({"namespace": "kube-system"}, "/spec/namespace", "they may live in serving, other"),
        ({"variants": []}, "/spec/variants", "1 to 16 variants"),
        ({"variants": [variant_document()] * 2}, "/spec/variants", "two variants are named h200"),
        ({"variants": [variant_document(replicas={"min": 3, "max": 2})]}, "/spec/variants/0/replicas", "lower min"),
        ({"variants": [variant_document(accelerator="nvidia-h20")]}, "/spec/variants/0/accelerator", "nvidia-h200"),
        (
            {"variants": [variant_document(parallelism={"tensor": 16})]},
            "/spec/variants/0/parallelism",
            "the biggest node with NVIDIA-H200 has 8",
        ),
        (
            {"variants": [variant_document(parallelism={"tensor": 3})]},
            "/spec/variants/0/parallelism/tensor",
            "32 attention heads cannot be split over 3",
        ),
        (
            {"variants": [variant_document(parallelism={"pipeline": 64})]},
            "/spec/variants/0/parallelism/pipeline",
            "32 layers",
        ),
        ({"variants": [variant_document(role="prefill")]}, "/spec/variants", "set role to both"),
        ({"variants": [variant_document("epp")]}, "/spec/variants/0/name", "choose another"),
        ({"variants": [variant_document("x" * 50)]}, "/spec/variants/0/name", "shorten one"),
        ({"variants": [variant_document(resources={"memory": "64"})]}, "/spec/variants/0/resources/memory", "unit"),
        (
            {"engine": {"args": ["--max-modl-len=1"]}},
            "/spec/engine/args/0",
            "unrecognized arguments: --max-modl-len=1; did you mean --max-model-len?",
        ),
        ({"engine": {"args": ["--max-model-len=1", "--port", "9"]}}, "/spec/engine/args/1", "Service expects"),
        ({"engine": {"args": ["-tp=2"]}}, "/spec/engine/args", "variants[].parallelism.tensor"),
        ({"engine": {"args": ["--served_model_name=x"]}}, "/spec/engine/args/0", "servedName"),
        ({"engine": {"args": ["--api-key", "abc"]}}, "/spec/engine/args/0", "everybody who sees the pod"),
        ({"engine": {"args": ["another-model"]}}, "/spec/engine/args", "unrecognized arguments"),
        ({"engine": {"env": {"HF_TOKEN": "hf_x"}}}, "/spec/engine/env/HF_TOKEN", "llm-d-hf-token"),
        ({"engine": {"env": {"PYTHONHASHSEED": "7"}}}, "/spec/engine/env/PYTHONHASHSEED", "leave it out"),
        ({"rollout": {"maxSurge": 0, "maxUnavailable": 0}}, "/spec/rollout", "raise one"),
        ({"rollout": {"drainDelay": "1500ms"}}, "/spec/rollout/drainDelay", "whole seconds"),
        ({"rollout": {"drainDelay": 10}}, "/spec/rollout/drainDelay", "unit"),
        ({"routing": {"picker": False, "gateway": {"name": "g"}}}, "/spec/routing", "set picker to true"),
        ({"autoscaling": {"mode": "auto"}}, "/spec/autoscaling/mode", "one of"),
        ({"variant": []}, "/spec/variant", "did you mean variants"),
    ],
)
def test_a_wrong_pool_is_refused_where_and_why(spec: dict[str, Any], pointer: str, words: str) -> None:
    found = refused(pool_document(**spec))
    assert any(fault.pointer == pointer and words in fault.detail for fault in found), found


@pytest.mark.usefixtures("world")
def test_an_environment_variable_that_only_sounds_secret_is_fine() -> None:
    declare(pool_document(engine={"env": {"TOKENIZERS_PARALLELISM": "false"}}))
    assert pool().spec["engine"]["env"] == {"TOKENIZERS_PARALLELISM": "false"}


@pytest.mark.usefixtures("world")
def test_an_unseen_cluster_refuses_no_size() -> None:
    Cluster.objects.update(status={})
    declare(pool_document(variants=[variant_document(parallelism={"tensor": 16})]))
    assert Pool.objects.exists()


@pytest.mark.usefixtures("world")
def test_pools_whose_objects_would_meet_are_refused() -> None:
    declare(pool_document("chat", variants=[variant_document("big-h200")]))
    clash = pool_document("chat-big", variants=[variant_document("h200")])
    with pytest.raises(BundleRefused, match="object named chat-big-h200 in namespace serving"):
        declare(clash)
    declare({**clash, "spec": {**clash["spec"], "namespace": "other"}})


@pytest.mark.usefixtures("world")
def test_cluster_and_namespace_stay() -> None:
    declare(pool_document())
    with pytest.raises(BundleRefused) as caught:
        declare(pool_document(namespace="other", cluster="elsewhere"))
    assert {fault.pointer for fault in caught.value.faults} >= {"/spec/namespace", "/spec/cluster"}


@pytest.mark.usefixtures("world")
def test_each_accepted_spec_is_a_revision_and_asks_for_a_reconcile_as_a_person_s_wish() -> None:
    declare(pool_document())
    declare(pool_document())
    declare(pool_document(engine={"args": ["--max-model-len=8192"]}))
    labelled = pool_document(engine={"args": ["--max-model-len=8192"]})
    labelled["metadata"]["labels"] = {"a": "b"}
    declare(labelled)
    assert [r.generation for r in PoolRevision.objects.order_by("generation")] == [1, 2]
    latest = PoolRevision.objects.get(generation=2)
    assert (latest.actor, latest.reason) == ("system", "a test")
    assert latest.spec["engine"]["args"] == ["--max-model-len=8192"]
    queued = QueueItem.objects.get(kind="Pool")
    assert (queued.priority, queued.shard) == (Priority.PERSON, str(Cluster.objects.get().uid))


@pytest.mark.usefixtures("world")
def test_what_a_pool_uses_cannot_be_deleted() -> None:
    declare(pool_document())
    for kind, name in (("Model", "tiny"), ("Cluster", "embedded")):
        with pytest.raises(Clash, match="Pool default/chat"):
            delete(kind, name)
    delete("Pool", "chat")
    assert pool().deletion_requested_at is not None, "its controller removes what it owns first"
    with pytest.raises(Clash, match="Pool default/chat"):
        delete("Cluster", "embedded")


@pytest.mark.usefixtures("world")
def test_targets_are_clamped_and_told_and_make_no_revision() -> None:
    declare(pool_document())
    wanted = [services.Wanted("h200", 99, "person", "because")]
    assert services.set_replica_targets(pool=pool(), wanted=wanted, actor="user:1", dry_run=True) == {"h200": 4}
    assert not ReplicaTarget.objects.exists()
    QueueItem.objects.all().delete()
    assert services.set_replica_targets(pool=pool(), wanted=wanted, actor="user:1") == {"h200": 4}
    target = ReplicaTarget.objects.get()
    assert (target.desired, target.source, target.reason) == (4, "person", "because")
    assert QueueItem.objects.get(kind="Pool").priority == Priority.SCALING
    assert (pool().generation, PoolRevision.objects.count()) == (1, 1)


@pytest.mark.usefixtures("world")
def test_targets_that_cannot_be() -> None:
    declare(pool_document())
    with pytest.raises(Invalid, match="no variant h100; it has h200"):
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h100", 1, "person")], actor="a")
    declare(pool_document(autoscaling={"mode": "external"}))
    with pytest.raises(Clash, match="another scaler"):
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 1, "person")], actor="a")
    delete("Pool", "chat")
    with pytest.raises(Clash, match="being deleted"):
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 1, "person")], actor="a")


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(-5, 2000))
def test_a_clamped_target_is_within_bounds_and_the_nearest_to_the_wish(low: int, span: int, wanted: int) -> None:
    high = min(1000, low + span)
    bounds = ReplicaBounds(min=low, max=high)
    got = bounds.clamp(wanted)
    assert low <= got <= high
    assert got == wanted or got in (low, high)
