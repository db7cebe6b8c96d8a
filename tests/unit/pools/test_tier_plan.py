"""The declared tiers and the plan that engines are rendered from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.domain.refusals import Invalid
from apps.pools.domain.tiers.declared import Offload
from apps.pools.domain.tiers.plan import NO_TIERS, Tier, TierPlan, fixed_plan, plan_of

HOST = {"kind": "host", "bytes": "64Gi"}
VOLUME = {"kind": "filesystem", "bytes": "500Gi", "claim": "kv-cache", "ttl": "30m"}

tiers = st.builds(
    Tier,
    kind=st.sampled_from(["host", "filesystem", "object", "peer"]),
    bytes=st.integers(0, 2**50),
    claim=st.none() | st.just("kv-cache"),
    ttl_seconds=st.none() | st.integers(10, 10**6),
)
canaries = st.just((None, "beside")) | st.tuples(st.just("h200"), st.sampled_from(["beside", "instead", "kept"]))
plans = st.builds(
    lambda canary, **of: TierPlan(canary=canary[0], stands=canary[1], **of),
    tiers=st.lists(tiers, max_size=4).map(tuple),
    chunk_tokens=st.integers(1, 10**6),
    prompt_only=st.booleans(),
    canary=canaries,
    events=st.booleans(),
    reason=st.text(max_size=20),
)


@given(plans)
def test_a_plan_survives_being_stored(plan: TierPlan) -> None:
    assert TierPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_of_before_canaries_took_places_is_read_as_one_beside() -> None:
    stored = {**TierPlan(canary="h200").to_json(), "canary": {"variant": "h200"}}
    assert TierPlan.from_json(stored).stands == "beside"


@given(plans, st.integers(0, 9), st.booleans())
def test_a_variant_never_has_more_replicas_than_asked_for_and_a_canary_on_trial(
    plan: TierPlan, replicas: int, ours: bool
) -> None:
    found = plan.among(replicas, ours=ours)
    own, canary = found.of_deployment("h200", replicas), int(found.canary is not None)
    assert own >= min(replicas, 1)
    assert own + canary == replicas + (1 if found.canary is not None and found.stands == "beside" else 0)
    assert ours or own == replicas, "another writes how many there are"
    assert found.of_deployment("b200", replicas) == replicas
    # whatever there is room for, the same tiers are tried, or had by all
    assert (found.tiers, found.tried, found.everywhere) == (plan.tiers, plan.tried, plan.everywhere)


def test_all_have_the_tiers_of_a_canary_that_is_kept_and_none_those_of_one_on_trial() -> None:
    for stands, everywhere in (("beside", ()), ("instead", ()), ("kept", (Tier("host", 2**36),))):
        plan = TierPlan(tiers=(Tier("host", 2**36),), canary="h200", stands=stands)  # type: ignore[arg-type]
        assert (plan.everywhere.tiers, plan.everywhere.canary, plan.tried) == (everywhere, None, stands != "kept")


def test_fixed_tiers_are_looked_up_fastest_first_and_need_no_decision() -> None:
    declared = Offload.from_document({"mode": "fixed", "tiers": [VOLUME, HOST], "minPrefixTokens": 1024})
    plan = plan_of(declared, TierPlan(tiers=(Tier("peer"),)))
    assert [tier.kind for tier in plan.tiers] == ["host", "filesystem"]
    assert (plan.chunk_tokens, plan.tiers[1].ttl_seconds, plan.tiers[1].claim) == (1024, 1800, "kv-cache")
    assert plan == fixed_plan(declared)


def test_what_was_decided_holds_in_auto_only_and_events_flow_where_somebody_decides() -> None:
    decided = TierPlan(tiers=(Tier("host", 2**36),), canary="h200")
    for mode, tiers_, events in (("auto", decided.tiers, True), ("advisory", (), True), ("off", (), False)):
        plan = plan_of(Offload.from_document({"mode": mode, "tiers": [HOST]}), decided)
        assert (plan.tiers, plan.events) == (tiers_, events)
    assert decided.everywhere.tiers == ()
    assert plan_of(Offload.from_document({"mode": "auto", "tiers": [HOST]}), None).tiers == NO_TIERS.tiers


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"mode": "auto"}, "needs tiers"),
        ({"mode": "fixed", "tiers": [{"kind": "host"}]}, "how much"),
        ({"mode": "auto", "tiers": [{"kind": "filesystem", "bytes": "1Gi"}]}, "ReadWriteMany"),
        ({"mode": "auto", "tiers": [HOST, HOST]}, "one of each kind"),
        ({"mode": "auto", "tiers": [{**HOST, "claim": "c"}]}, "belongs to a tier filesystem"),
        ({"mode": "auto", "tiers": [{**HOST, "ttl": "5m"}]}, "ttl is of"),
        ({"mode": "auto", "tiers": [{"kind": "object", "bytes": "1Ti", "bucket": "kv"}]}, "endpoint"),
    ],
)
def test_a_declaration_that_cannot_be_meant_says_what_is_missing(document: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Invalid, match=sentence):
        Offload.from_document(document)
