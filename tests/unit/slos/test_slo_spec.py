from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from apps.core.domain.refusals import Invalid
from apps.slos.domain.slo import Objective, SLOSpec

GOOD: dict[str, Any] = {
    "targetRef": {"kind": "Pool", "name": "chat"},
    "objectives": [
        {"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d"},
        {"metric": "itl", "threshold": "0.04s", "fraction": "99.9%"},
    ],
}


def objective(**change: Any) -> dict[str, Any]:
    return {**GOOD, "objectives": [{**GOOD["objectives"][0], **change}]}


def test_a_spec_is_normalised_and_survives() -> None:
    spec = SLOSpec.from_document(GOOD)
    written = spec.to_document()
    assert "measuredAt" not in written
    assert written["objectives"][1] == {"metric": "itl", "threshold": "40ms", "fraction": "99.9%", "window": "28d"}
    assert SLOSpec.from_document(written) == spec
    assert spec.objectives[0].threshold == timedelta(milliseconds=500)


def classed(traffic: Any, *metrics: str, **more: Any) -> dict[str, Any]:
    objectives = [{"metric": "errors", "fraction": "99%"}]
    objectives += [{"metric": metric, "threshold": "5s", "fraction": "95%"} for metric in metrics]
    return {**GOOD, "traffic": traffic, "objectives": objectives, **more}


def test_a_class_of_requests() -> None:
    spec = SLOSpec.from_document(classed({"tenant": "acme", "priority": 10}, "e2e"))
    assert spec.traffic_key == "tenant=acme,priority=10"
    assert spec.traffic is not None
    assert spec.traffic.sentence() == "tenant acme at priority 10"
    assert spec.to_document()["traffic"] == {"tenant": "acme", "priority": 10}
    assert SLOSpec.from_document(GOOD).traffic_key == ""


@pytest.mark.parametrize(
    ("value", "pointer", "sentence"),
    [
        (classed({}), "/spec/traffic", "a tenant, a priority, or both"),
        (classed({"tenant": 'a"b'}), "/spec/traffic/tenant", ""),
        (classed({"tenant": "acme"}, "ttft"), "/spec", "measures ttft of all requests together"),
        (classed({"tenant": "acme"}, measuredAt="engine"), "/spec", "at the gateway only"),
        (objective(threshold="0s"), "/spec/objectives/0/threshold", "a threshold is longer than zero"),
        (objective(fraction="100%"), "/spec/objectives/0/fraction", "100% leaves no error budget"),
        (objective(fraction="0%"), "/spec/objectives/0/fraction", "more than 0%"),
        (objective(window="1m"), "/spec/objectives/0/window", "a window is from 5m to 400d, not 1m"),
        (objective(window="401d"), "/spec/objectives/0/window", "a window is from 5m to 400d, not 401d"),
        (
            objective(metric="latency"),
            "/spec/objectives/0/metric",
            "is one of 'ttft', 'e2e', 'tpot', 'itl' or 'errors'",
        ),
        ({**GOOD, "objectives": []}, "/spec/objectives", "at least 1 item"),
        ({**GOOD, "measuredAt": "client"}, "/spec/measuredAt", "is one of 'gateway' or 'engine'"),
        (
            {**GOOD, "objectives": [GOOD["objectives"][0], {**GOOD["objectives"][0], "fraction": "99%"}]},
            "/spec",
            "objectives names ttft 500ms over 28d twice",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(value: Any, pointer: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        SLOSpec.from_document(value)
    (fault,) = refused.value.faults
    assert fault.pointer == pointer
    assert sentence in fault.detail


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "95 % of requests have TTFT within 500 ms over 28 d"),
        ({"metric": "itl", "threshold": "50ms"}, "95 % of tokens have ITL within 50 ms over 28 d"),
        ({"metric": "tpot", "threshold": "90s", "window": "1h"}, "95 % of requests have TPOT within 90 s over 1 h"),
        (
            {"metric": "errors", "threshold": None, "fraction": "99.95%"},
            "99.95 % of requests are served without error over 28 d",
        ),
    ],
)  # fmt: skip
def test_a_promise_reads_as_a_sentence(changes: dict[str, Any], sentence: str) -> None:
    values = {"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d", **changes}
    assert Objective.from_document({k: v for k, v in values.items() if v is not None}).sentence() == sentence
