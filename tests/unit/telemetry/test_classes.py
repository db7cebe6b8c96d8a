"""Requests of one tenant or priority, counted on their own from a picker's page."""

from __future__ import annotations

import math

import pytest

from apps.telemetry.domain.classes import CLASS_LINES, TrafficClass, of_class, with_classes
from apps.telemetry.domain.deltas import delta
from apps.telemetry.domain.exposition import parse
from apps.telemetry.domain.gateway import read_gateway
from apps.telemetry.domain.readings import PageReading

ACME, URGENT = TrafficClass("acme"), TrafficClass(None, 10)
BOTH = TrafficClass("acme", 10)
CLASSES = (ACME, URGENT, BOTH, TrafficClass("nobody"))


def page(acme: float = 3.0, other: float = 5.0) -> str:
    lines = []
    for tenant, priority, count in (("acme", "10", acme), ("acme", "0", 1.0), ("other", "10", other)):
        labels = f'model_name="m",target_model_name="m",fairness_id="{tenant}",priority="{priority}"'
        lines += [
            f"llm_d_epp_request_total{{{labels}}} {count}",
            f'llm_d_epp_request_duration_seconds_bucket{{{labels},le="1.0"}} {count}',
            f'llm_d_epp_request_duration_seconds_bucket{{{labels},le="+Inf"}} {count}',
            f"llm_d_epp_request_duration_seconds_sum{{{labels}}} {count / 2}",
        ]
    labels = 'model_name="m",target_model_name="m",fairness_id="acme",priority="10"'
    lines.append(f'llm_d_epp_request_error_total{{{labels},error_code="503"}} 2')
    return "\n".join(lines) + "\n"


def read(text: str, classes: tuple[TrafficClass, ...] = CLASSES) -> PageReading:
    return with_classes(read_gateway(text), parse(text, CLASS_LINES), classes)


def test_a_class_has_its_own_requests_errors_and_durations() -> None:
    reading = read(page())
    counters = reading.counters
    assert counters["gateway.requests"] == 9
    assert counters["gateway.requests@tenant=acme"] == 4
    assert counters["gateway.requests@priority=10"] == 8
    assert counters["gateway.requests@tenant=acme,priority=10"] == 3
    assert counters["gateway.error@tenant=acme:503"] == 2
    assert reading.cumulative["gateway.e2e@tenant=acme"] == {1.0: 4.0, math.inf: 4.0}
    assert counters["gateway.e2e@tenant=acme_sum"] == 2.0


def test_a_class_that_asked_nothing_is_none_of_them_where_requests_are_counted() -> None:
    assert read(page()).counters["gateway.requests@tenant=nobody"] == 0.0
    assert "gateway.requests@tenant=nobody" not in read("llm_d_epp_ready_endpoints 1\n").counters


def test_what_is_no_number_is_left_out() -> None:
    broken = read(page(acme=math.nan))
    assert "gateway.requests@tenant=acme" not in broken.counters
    assert "gateway.e2e@tenant=acme" not in broken.cumulative
    assert "gateway.requests@tenant=acme" in broken.unreadable
    # where the sum of all is no number, nobody is known to have asked nothing
    assert "gateway.requests@tenant=nobody" not in broken.counters


def test_names_of_a_class_are_told_from_those_of_one_that_begins_alike() -> None:
    change = delta(read(page()), read(page(acme=10.0)), 10.0)
    assert change is not None
    mine = of_class(change.counts, "tenant=acme")
    assert mine["gateway.requests"] == 7
    assert mine["gateway.e2e_sum"] == pytest.approx(3.5)
    assert set(mine) == {"gateway.requests", "gateway.error:503", "gateway.e2e_sum"}
    assert of_class(change.counts, "tenant=none") == {}
