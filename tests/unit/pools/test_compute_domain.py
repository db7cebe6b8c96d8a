"""IMEX channels of NVLink racks: which pods ask for one, and what makes it."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import DIALECTS, dialect
from apps.pools.domain.cost import cost_delta
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.options.compute_domain import spans_machines
from apps.pools.domain.paths import render
from apps.pools.domain.review import ReviewedObject
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.warnings import Surroundings, warnings_of
from tests.support.proof import builtin_faults, faults
from tests.unit.pools.paths import KINDS, inputs_for, merged, model_of, path_document
from tests.unit.pools.rendering import POOL

DRIVER = KINDS | {"ComputeDomain.resource.nvidia.com"}


def objects(
    path: str, accelerator: str, *, release: str = "current", driver: bool = True, **more: Any
) -> list[Manifest]:
    spec = PoolSpec.from_document(merged(path_document(path, accelerator), more))
    inputs = inputs_for(spec, kinds=DRIVER if driver else KINDS)
    return list(render(POOL, spec, model_of(spec), inputs, dialect(release)))


def pod_of(manifest: Manifest) -> dict[str, Any]:
    spec = manifest["spec"]
    template = spec["leaderWorkerTemplate"]["workerTemplate"] if "leaderWorkerTemplate" in spec else spec["template"]
    return dict(template["spec"])


def engines(found: list[Manifest]) -> list[dict[str, Any]]:
    return [
        pod_of(o)
        for o in found
        if o["kind"] in ("Deployment", "LeaderWorkerSet")
        and o["metadata"]["labels"]["app.kubernetes.io/component"] == "engine"
    ]


@pytest.mark.parametrize("release", DIALECTS)
@pytest.mark.parametrize("path", ["wide-ep", "pd-disaggregation"])
def test_all_engines_of_a_pool_share_one_domain(path: str, release: str) -> None:
    found = objects(path, "nvidia-gb200", release=release)
    (domain,) = [o for o in found if o["kind"] == "ComputeDomain"]
    assert domain["apiVersion"] == "resource.nvidia.com/v1beta1"
    assert domain["spec"] == {"numNodes": 0, "channel": {"resourceClaimTemplate": {"name": "chat-imex"}}}
    pods = engines(found)
    assert len(pods) == 2
    for pod in pods:
        assert pod["resourceClaims"] == [{"name": "imex-channel", "resourceClaimTemplateName": "chat-imex"}]
        (engine,) = pod["containers"]
        assert engine["resources"]["claims"] == [{"name": "imex-channel"}]
    assert [fault for o in found for fault in faults(o)] == []


def test_accelerators_that_are_claimed_are_claimed_beside_the_channel() -> None:
    variants = [{**v, "devices": "claim"} for v in path_document("wide-ep", "nvidia-gb200")["variants"]]
    found = objects("wide-ep", "nvidia-gb200", variants=variants)
    for pod in engines(found):
        assert [claim["name"] for claim in pod["resourceClaims"]] == ["accelerators", "imex-channel"]
        assert [claim["name"] for claim in pod["containers"][0]["resources"]["claims"]] == [
            "accelerators",
            "imex-channel",
        ]
    assert [fault for o in found if o["kind"] == "Deployment" for fault in builtin_faults(o)] == []


@pytest.mark.parametrize(
    ("path", "accelerator", "driver"),
    [
        ("wide-ep", "nvidia-h200", True),
        # one machine's engines are not reached from another
        ("optimized-baseline", "nvidia-gb200", True),
        # an owner of machines who opens the channels by himself has no such kind
        ("wide-ep", "nvidia-gb200", False),
    ],
)
def test_nobody_else_asks_for_a_channel(path: str, accelerator: str, driver: bool) -> None:
    found = objects(path, accelerator, driver=driver)
    assert not [o for o in found if o["kind"] == "ComputeDomain"]
    assert all("resourceClaims" not in pod for pod in engines(found))


def test_groups_of_a_rack_span_machines_and_lone_pods_do_not() -> None:
    wide = PoolSpec.from_document(path_document("wide-ep", "nvidia-gb200"))
    lone = PoolSpec.from_document(path_document("optimized-baseline", "nvidia-gb200"))
    assert all(spans_machines(wide, variant) for variant in wide.variants)
    assert not any(spans_machines(lone, variant) for variant in lone.variants)


def test_a_plan_without_the_driver_says_what_is_missing() -> None:
    spec = PoolSpec.from_document(path_document("wide-ep", "nvidia-gb200"))
    nothing = cost_delta((), (), {})
    domain = ReviewedObject("resource.nvidia.com/v1beta1", "ComputeDomain", "chat", "serving", "created")
    for made, warned in (((), True), ((domain,), False)):
        found = [w.message for w in warnings_of(spec, made, nothing, Surroundings({})) if w.reason == "NoComputeDomain"]
        assert len(found) == warned
        assert not warned or "install NVIDIA's DRA driver" in found[0]
