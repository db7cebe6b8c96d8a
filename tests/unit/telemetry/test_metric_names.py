"""Every metric that telemetry reads is one that the engine versions we drive have, with the labels we ask for."""

from __future__ import annotations

import pytest

from apps.catalog.domain.vllm.facts import metrics
from apps.telemetry.domain.engine import COUNTERS, FAMILIES

VERSIONS = ("0.32", "0.33")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", COUNTERS)
def test_counters_are_in_the_catalogue(version: str, name: str) -> None:
    on_the_wire, label, value = COUNTERS[name]
    known = metrics(version)
    metric = known.get(on_the_wire) or known[on_the_wire.removesuffix("_total")]
    assert metric.type == "counter"
    if label is not None:
        assert label in metric.labels
        assert value in metric.label_values.get(label, (value,))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_latency_families_are_histograms_in_seconds(version: str, family: str) -> None:
    metric = metrics(version)[FAMILIES[family]]
    assert metric.type == "histogram"
    assert FAMILIES[family].endswith("_seconds")
    # the dense grid replaces the buckets of a family that can be replaced
    assert metric.bucket_family
