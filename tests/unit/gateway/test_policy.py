"""Objectives and rewrites: the priority of a request, and the model that serves it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.gateway.domain.policy import NO_POLICY, Policy, Rule, policy_of
from apps.embedded.gateway.proxy import request_of

CURRENT, OLD = "llm-d.ai/v1alpha2", "inference.networking.x-k8s.io/v1alpha2"


def made(
    name: str, version: str = CURRENT, pool: str = "chat", at: str = "2026-01-01T00:00:00Z", **spec: Any
) -> dict[str, Any]:
    metadata = {"name": name, "creationTimestamp": at}
    return {"apiVersion": version, "metadata": metadata, "spec": {"poolRef": {"name": pool}, **spec}}


def rule(model: str | None, *targets: tuple[str, int]) -> dict[str, Any]:
    matches = [{"model": {"type": "Exact", "value": model}}] if model else []
    return {"matches": matches, "targets": [{"modelRewrite": name, "weight": weight} for name, weight in targets]}


def test_the_priority_is_that_of_the_objective_that_is_named() -> None:
    objectives = [
        made("chat-premium", priority=100),
        made("chat-batch", priority=-10),
        made("other", pool="x", priority=5),
    ]
    policy = policy_of("chat", objectives, [])
    assert policy.priority({"x-llm-d-inference-objective": "chat-premium"}) == 100
    assert policy.priority({"x-gateway-inference-objective": "chat-batch"}) == -10
    assert [policy.priority({"x-llm-d-inference-objective": name}) for name in ("other", "nobody")] == [0, 0]
    assert policy.priority({}) == 0
    headers = {"X-LLM-D-Inference-Objective": "chat-premium", "x-llm-d-inference-fairness-id": "acme"}
    asked = request_of({"model": "m", "prompt": "a"}, headers, policy)
    assert (asked.priority, asked.fairness) == (100, "acme")


def test_of_two_releases_the_current_one_wins() -> None:
    both = [made("chat-premium", OLD, priority=1), made("chat-premium", CURRENT, priority=2)]
    assert policy_of("chat", both, []).priorities == {"chat-premium": 2}


def test_the_oldest_rewrite_that_matches_holds_and_what_matches_none_stays() -> None:
    rewrites = [
        made("b", at="2026-01-02T00:00:00Z", rules=[rule("base", ("late", 1))]),
        made("a", at="2026-01-01T00:00:00Z", rules=[rule("base", ("sql", 1))]),
        made("c", pool="other", rules=[rule("free", ("theirs", 1))]),
    ]
    policy = policy_of("chat", [], rewrites)
    assert policy.served_by("base", 0.5) == "sql"
    assert policy.served_by("free", 0.5) == "free"
    assert policy_of("chat", [], [made("all", rules=[rule(None, ("sql", 1))])]).served_by("anything", 0.0) == "sql"
    assert NO_POLICY.served_by("m", 0.9) == "m"


@given(weights=st.lists(st.integers(1, 1000), min_size=1, max_size=5))
def test_targets_are_drawn_by_their_weights(weights: list[int]) -> None:
    policy = Policy({}, (Rule(frozenset({"m"}), tuple((str(i), w) for i, w in enumerate(weights))),))
    total, at = sum(weights), 0
    for index, weight in enumerate(weights):
        assert policy.served_by("m", (at + weight / 2) / total) == str(index)
        at += weight
