"""The picker counts latencies in the grid of the engines, so that an objective on it is counted exactly."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from apps.catalog.domain.latency import latency_grid
from tests.support.gateways import picker_metrics


@pytest.mark.parametrize("name", ["ttft", "tpot", "itl", "duration"])
def test_every_edge_of_the_grid_is_a_bucket(name: str) -> None:
    metrics = picker_metrics()
    family = getattr(metrics, name)
    family.labels(*["x"] * len(family._labelnames)).observe(0.3)
    page = generate_latest(metrics.registry).decode()
    edges = {
        float(sample.labels["le"])
        for found in text_string_to_metric_families(page)
        for sample in found.samples
        if sample.name == f"{family._name}_bucket"
    }
    assert edges >= set(latency_grid()[1])
