"""An SLO as rules of Prometheus."""

from __future__ import annotations

import re
from typing import Any

import pytest

from apps.catalog.domain.latency import latency_grid
from apps.slos.domain.rules import RECORD, bad_share, rule_groups
from apps.slos.domain.slo import Objective, Source, TargetRef, Traffic

EDGES = latency_grid()[1]


def objective(**changes: Any) -> Objective:
    values = {"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d", **changes}
    return Objective.from_document({name: value for name, value in values.items() if value is not None})


def rules(*objectives: Objective, source: Source = "gateway") -> list[dict[str, Any]]:
    (group,) = rule_groups(
        slo="fast",
        team="default",
        target=TargetRef(name="chat"),
        pools=["chat"],
        namespace="serving",
        objectives=objectives,
        source=source,
        edges=EDGES,
    )
    assert group["name"] == "lamplight-slo-fast"
    return list(group["rules"])


def test_windows_are_recorded_and_pairs_alert() -> None:
    found = rules(objective())
    assert [rule["record"] for rule in found if "record" in rule] == [
        f"{RECORD}{window}" for window in ("5m", "30m", "1h", "6h", "3d")
    ]
    burns = [rule for rule in found if rule.get("alert") == "LamplightErrorBudgetBurn"]
    assert [(rule["labels"]["window"], rule["labels"]["severity"]) for rule in burns] == [
        ("5m/1h", "page"),
        ("30m/6h", "page"),
        ("6h/3d", "ticket"),
    ]
    chosen = '{slo="fast",team="default",pool="chat",objective="ttft-500ms-28d"}'
    # 13.44 times 5 % of the events
    assert burns[0]["expr"] == f"{RECORD}5m{chosen} >= 0.672 and {RECORD}1h{chosen} >= 0.672"


def test_a_latency_at_the_gateway_counts_what_failed() -> None:
    (five, *_) = rules(objective())
    assert five["expr"].startswith(
        '1 - sum(rate(llm_d_epp_request_ttft_seconds_bucket{job="serving/chat",le="0.5"}[5m]))'
    )
    assert 'llm_d_epp_request_error_total{job="serving/chat",error_code!~"' in five["expr"]
    assert five["labels"] == {"slo": "fast", "team": "default", "pool": "chat", "objective": "ttft-500ms-28d"}


def test_at_the_engines_rejections_count() -> None:
    (five, *_) = rules(objective(), source="engine")
    assert "vllm:time_to_first_token_seconds_bucket" in five["expr"]
    assert "vllm:admission_rejections_total" in five["expr"]
    (five, *_) = rules(objective(metric="errors", threshold=None), source="engine")
    assert 'vllm:request_success_total{job="serving/chat",finished_reason="error"}' in five["expr"]


@pytest.mark.parametrize(
    ("threshold", "matcher"),
    [
        ("500ms", 'le="0.5"'),
        ("1s", 'le=~"1|1\\\\.0"'),
        ("5ms", 'le="0.005"'),
        ("470ms", 'le="0.45"'),
        ("60s", 'le=~"60|60\\\\.0"'),
    ],
)
def test_the_bucket_is_spelt_as_go_and_python_spell_it(threshold: str, matcher: str) -> None:
    assert matcher in str(bad_share(objective(threshold=threshold), "engine", EDGES))


def test_a_token_has_no_error() -> None:
    share = str(bad_share(objective(metric="itl", threshold="40ms"), "gateway", EDGES))
    assert "error" not in share


def test_a_threshold_below_the_grid_has_no_rule() -> None:
    assert bad_share(objective(threshold="100us"), "engine", EDGES) is None
    assert not rule_groups(
        slo="s", team="t", target=TargetRef(name="p"), pools=["p"], namespace="n",
        objectives=[objective(threshold="100us")], source="engine", edges=EDGES,
    )  # fmt: skip


def test_the_rules_of_one_tenant_of_an_endpoint_name_both() -> None:
    (group,) = rule_groups(
        slo="fast", team="default", target=TargetRef(kind="Endpoint", name="front"), pools=["blue", "green"],
        namespace="serving", objectives=[objective(metric="e2e")], source="gateway", edges=EDGES,
        traffic=Traffic(tenant="acme", priority=10),
    )  # fmt: skip
    recorded = next(rule for rule in group["rules"] if "record" in rule)
    assert 'job=~"serving/blue|serving/green",fairness_id="acme",priority="10"' in recorded["expr"]
    assert recorded["labels"]["endpoint"] == "front"
    assert recorded["labels"]["traffic"] == "tenant=acme,priority=10"
    burning = next(rule for rule in group["rules"] if rule.get("alert") == "LamplightErrorBudgetBurn")
    assert "(endpoint front) burns" in burning["annotations"]["summary"]
    assert (
        "of requests of tenant acme at priority 10 have E2E latency within 500 ms"
        in burning["annotations"]["description"]
    )


def test_a_missing_bucket_is_an_alert_of_its_own() -> None:
    (missing,) = [rule for rule in rules(objective()) if rule.get("alert") == "LamplightSLONotMeasured"]
    assert 'unless on () count(llm_d_epp_request_ttft_seconds_bucket{job="serving/chat",le="0.5"})' in missing["expr"]


@pytest.mark.parametrize("source", ["gateway", "engine"])
@pytest.mark.parametrize("metric", ["ttft", "e2e", "tpot", "itl", "errors"])
def test_every_expression_is_balanced_and_complete(source: Source, metric: str) -> None:
    threshold = None if metric == "errors" else "500ms"
    for rule in rules(objective(metric=metric, threshold=threshold), source=source):
        expr = rule["expr"]
        assert "$" not in expr
        for left, right in ("()", "{}", "[]"):
            assert expr.count(left) == expr.count(right), expr
        assert re.search(r"> 0\)|>= |unless", expr), "nothing over nothing is no 0"
