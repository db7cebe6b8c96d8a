"""What is rendered for a pool whose replicas an HPA or KEDA writes, and what is refused."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from apps.catalog.domain.dialects import dialect
from apps.core.domain.refusals import Invalid
from apps.pools.domain.handover import handed_over
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.paths import render
from apps.pools.domain.replicas import scalers_of
from apps.pools.domain.spec import Autoscaling
from tests.support.proof import faults
from tests.unit.pools import rendering

GOLDEN = Path(__file__).parent / "golden"
KEDA = rendering.CORE | rendering.EXTENSIONS | {"ScaledObject.keda.sh"}


def objects(handover: str):
    spec = rendering.spec_of(autoscaling={"mode": "external", "handover": handover})
    inputs = replace(rendering.inputs_of(spec, KEDA), prometheus="http://prometheus.monitoring:9090")
    return render(rendering.POOL, spec, rendering.MODEL, inputs, dialect("current"))


@pytest.mark.parametrize("handover", ["hpa", "keda"])
def test_golden(handover: str) -> None:
    kinds = ("HorizontalPodAutoscaler", "ScaledObject")
    rendered = [obj for obj in objects(handover) if obj["kind"] in kinds]
    path = GOLDEN / f"handover-{handover}.yaml"
    text = yaml.safe_dump_all(rendered, sort_keys=False)
    if os.environ.get("LAMPLIGHT_UPDATE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()
    (scaler,) = scalers_of(rendered)
    assert scaler.deployment == "chat-h200", "the owner of replicas is found by what is rendered"


@pytest.mark.parametrize("handover", ["hpa", "keda"])
def test_a_real_cluster_takes_it(handover: str) -> None:
    assert [fault for obj in objects(handover) for fault in faults(obj)] == []


def test_nothing_is_rendered_where_nothing_is_handed_over() -> None:
    for scaling in ({"mode": "external"}, {"mode": "active"}):
        spec = rendering.spec_of(autoscaling=scaling)
        assert handed_over(rendering.POOL, spec, rendering.inputs_of(spec)) == ()


def test_keda_needs_its_kind_and_a_prometheus() -> None:
    spec = rendering.spec_of(autoscaling={"mode": "external", "handover": "keda"})
    with pytest.raises(PlanRefused, match="does not know ScaledObjects"):
        handed_over(rendering.POOL, spec, rendering.inputs_of(spec))
    with pytest.raises(PlanRefused, match="/metrics/autoscaling"):
        handed_over(rendering.POOL, spec, rendering.inputs_of(spec, KEDA))


def test_a_hand_over_without_another_scaler_is_refused() -> None:
    with pytest.raises(Invalid, match="in mode external only"):
        Autoscaling.from_document({"mode": "active", "handover": "hpa"})
