"""Every metric that telemetry reads is one that the engine versions we drive have, with the labels we ask for."""

from __future__ import annotations

import pytest

from apps.catalog.domain.vllm.facts import metrics
from apps.telemetry.domain.engine import FAMILIES, OPEN_COUNTERS, TABLE

VERSIONS = ("0.32", "0.33")
PLACES = [
    (kind, place)
    for kind, groups in (("counter", TABLE.counters), ("counter", TABLE.open_counters), ("gauge", TABLE.gauges))
    for group in groups.values()
    for place in group
]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("kind", "place"), PLACES, ids=lambda value: value if isinstance(value, str) else value.metric)
def test_counters_and_gauges_are_in_the_catalogue(version: str, kind: str, place) -> None:
    metric = metrics(version)[place.metric]
    assert metric.type == kind
    if place.label is not None:
        assert place.label in metric.labels
    if place.value is not None:
        assert place.value in metric.label_values.get(place.label, (place.value,))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_histograms(version: str, family: str) -> None:
    metric = metrics(version)[FAMILIES[family]]
    assert metric.type == "histogram"
    # our grids replace the buckets of families that can be replaced
    assert metric.bucket_family


@pytest.mark.parametrize("version", VERSIONS)
def test_infos_are_gauges_that_speak_through_labels(version: str) -> None:
    known = metrics(version)
    # new with 0.33: what an older page does not have is missing there
    for name in TABLE.infos - ({"vllm:kv_offload_config_info"} if version == "0.32" else set()):
        assert known[name].type == "gauge"
        assert known[name].labels


def test_open_counters_have_a_label_that_names_them() -> None:
    assert all(place.label and place.value is None for place in OPEN_COUNTERS.values())
