"""The metric tables against the recorded pages of real engines."""

from __future__ import annotations

import re

import pytest

from apps.catalog.domain.vllm import metrics
from tests.support.shared import shared_file

PAGES = [
    ("0.32", "vllm-metrics-0.32.txt"),
    ("0.32", "vllm-metrics-0.32-tiering.txt"),
    ("0.33", "vllm-metrics-0.33.txt"),
]


def families(page: str) -> dict[str, str]:
    found = dict(re.findall(r"^# TYPE (\S+) (\w+)$", page, re.MULTILINE))
    return {name: kind for name, kind in found.items() if not name.endswith("_created")}


@pytest.mark.parametrize(("version", "name"), PAGES)
def test_names_types_labels_and_buckets(version: str, name: str) -> None:
    page = shared_file(f"reference/{name}").read_text()
    table = metrics(version)
    recorded = families(page)
    assert set(recorded) <= set(table)
    for family, kind in recorded.items():
        metric = table[family]
        assert metric.type == kind, family
        suffix = "_(?:bucket|count|sum)" if kind in ("histogram", "summary") else ""
        labels, bounds = set(), []
        for text in re.findall(rf"^{re.escape(family)}{suffix}\{{(.*)\}} ", page, re.MULTILINE):
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', text))
            bound = pairs.pop("le", "+Inf")
            labels |= set(pairs)
            if bound != "+Inf" and float(bound) not in bounds:
                bounds.append(float(bound))
        if labels:
            assert labels == set(metric.labels), family
        if bounds:
            assert bounds == list(metric.buckets), family


def test_no_name_was_removed_between_the_versions() -> None:
    assert set(metrics("0.32")) <= set(metrics("0.33"))


def test_only_the_plain_engines_metrics_are_unconditional() -> None:
    plain = {name for name, metric in metrics("0.33").items() if metric.when is None}
    assert "vllm:num_requests_running" in plain
    assert not any("kv_offload" in name or "lora" in name or "spec_decode" in name for name in plain)
    assert {metric.when for metric in metrics("0.33").values()} == {
        None, "kv_connector", "offloading", "nixl", "tiering", "lora", "speculative", "kv_cache_metrics",
        "sleep_endpoints",
    }  # fmt: skip
