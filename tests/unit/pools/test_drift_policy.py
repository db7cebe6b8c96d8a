"""Drift and replica ownership decided: the pure parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.pools.domain import drift, replicas
from apps.pools.domain.drift import Attempts, Drifted, decide
from apps.pools.domain.managers import Writer

T0 = datetime(2026, 11, 26, 12, tzinfo=UTC)
EDIT = Writer("kubectl-edit", "Update", "", "2026-11-26T11:59:00Z")
ONE = Drifted("Deployment/chat-h200", ("spec.template.spec.nodeSelector",), (EDIT,))


def test_reporting_writes_nothing_and_healing_writes_at_once() -> None:
    assert decide("report", [ONE], {}, "r1", T0).heal == frozenset()
    healed = decide("heal", [ONE], {}, "r1", T0)
    assert healed.heal == {ONE.name}
    assert healed.memory[ONE.name] == Attempts(("kubectl-edit",), "r1", 1, T0)
    assert decide("report", [ONE], {}, "r1", T0, consented=True).heal == {ONE.name}


@given(st.lists(st.integers(0, 1800), min_size=1, max_size=200), st.sampled_from(["kubectl-edit", "other"]))
def test_who_keeps_writing_is_answered_three_times_and_never_again(pauses: list[int], manager: str) -> None:
    one = Drifted("Service/chat", ("spec.selector",), (Writer(manager, "Update"),))
    memory: Any = {}
    now, writes, at = T0, 0, []
    for pause in pauses:
        now += timedelta(seconds=pause)
        # across the database, as the controller keeps it
        memory = drift.read_memory(drift.write_memory(memory, [one]))
        decision = decide("heal", [one], memory, "r1", now)
        memory = decision.memory
        writes += len(decision.heal)
        at += [now] * len(decision.heal)
        assert decision.heal | decision.waiting | decision.given_up == {one.name}
    quiet = sum(1 for pause in pauses if pause >= 1800)
    assert writes <= 3 or quiet > 0
    assert all(later - earlier >= timedelta(seconds=10) for earlier, later in pairwise(at))


def given_up(**changes: Any) -> Any:
    held = {"managers": ("kubectl-edit",), "rendered": "r1", "count": 3, "last": T0, **changes}
    return {ONE.name: Attempts(**held)}


def test_giving_up_lasts_until_the_spec_or_the_writer_changes_or_a_person_asks() -> None:
    later = T0 + timedelta(days=3)
    assert decide("heal", [ONE], given_up(), "r1", later).given_up == {ONE.name}
    assert decide("heal", [ONE], given_up(), "r2", later).heal == {ONE.name}
    other = Drifted(ONE.name, ONE.fields, (Writer("argocd", "Update"),))
    assert decide("heal", [other], given_up(), "r1", later).heal == {ONE.name}
    assert decide("heal", [ONE], given_up(), "r1", later, consented=True).heal == {ONE.name}
    both = Drifted(ONE.name, ONE.fields, (Writer("argocd", "Update"),))
    assert decide("heal", [both], given_up(managers=("argocd", "kubectl-edit")), "r1", later).given_up == {ONE.name}


def test_an_object_that_was_quiet_for_an_hour_starts_anew() -> None:
    memory = given_up(count=2)
    assert decide("heal", [ONE], memory, "r1", T0 + timedelta(hours=2)).memory[ONE.name].count == 1
    assert decide("heal", [ONE], memory, "r1", T0 + timedelta(minutes=5)).memory[ONE.name].count == 3


def test_the_condition_says_field_writer_and_time() -> None:
    nothing = decide("heal", [], {}, "r1", T0)
    assert drift.condition([], nothing, "heal", 1).status == "False"
    reported = drift.condition([ONE], nothing, "report", 1)
    assert (reported.status, reported.reason) == ("True", "Reported")
    said = (
        "Deployment chat-h200 differs at spec.template.spec.nodeSelector, written by kubectl-edit at 2026-11-26T11:59"
    )
    assert reported.message.startswith(said)
    gave_up = drift.condition([ONE], decide("heal", [ONE], given_up(), "r1", T0), "heal", 1)
    assert gave_up.reason == "GaveUp"
    assert "left alone" in gave_up.message
    assert "is gone" in drift.condition([Drifted("Service/chat", ())], nothing, "report", 1).message


# --- replicas ------------------------------------------------------------------------------------------------------


def deployment(*managers: tuple[str, str, str], name: str = "chat-h200") -> dict[str, Any]:
    entries = [
        {
            "manager": manager,
            "operation": operation,
            "subresource": subresource,
            "time": "2026-11-26T11:00:00Z",
            "fieldsV1": {"f:spec": {"f:replicas": {}}},
        }
        for manager, operation, subresource in managers
    ]
    return {"metadata": {"name": name, "managedFields": entries}, "spec": {"replicas": 3}}


OURS = ("lamplight-scaler", "Update", "scale")
HPA = ("kube-controller-manager", "Update", "scale")
KUBECTL = ("kubectl", "Update", "scale")


def test_the_owner_of_replicas_is_told_by_who_wrote_the_value() -> None:
    def who(*managers: tuple[str, str, str], **more: Any) -> str:
        return replicas.owner_of(deployment(*managers), more.pop("scalers", []), external=False, **more).owner

    assert who() == "lamplight"
    assert who(OURS) == "lamplight"
    assert who(("lamplight", "Apply", "")) == "lamplight"
    assert who(OURS, KUBECTL) == "lamplight", "another value would have taken it from us"
    assert who(HPA) == "hpa"
    assert who(("keda-operator", "Update", "scale")) == "keda"
    assert who(KUBECTL) == "manual"
    assert who(("argocd-controller", "Apply", "")) == "other"
    assert who(KUBECTL, allowed=frozenset({"kubectl"})) == "lamplight"
    assert replicas.owner_of(deployment(HPA), [], external=True).owner == "external"


def scaler(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "metadata": {"name": name, **more},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "chat-h200"}},
    }


def test_an_object_that_scales_the_deployment_counts_before_it_has_written() -> None:
    hpa = scaler("HorizontalPodAutoscaler", "chat")
    found = replicas.owner_of(deployment(OURS), replicas.scalers_of([hpa]), external=False)
    assert (found.owner, found.scaler) == ("hpa", "HorizontalPodAutoscaler chat")
    kedas = scaler("HorizontalPodAutoscaler", "keda-hpa-x", ownerReferences=[{"kind": "ScaledObject", "name": "x"}])
    found = replicas.owner_of(deployment(HPA), replicas.scalers_of([kedas]), external=False)
    assert (found.owner, found.scaler) == ("keda", "ScaledObject x")
    assert replicas.owner_of(deployment(OURS, name="other"), replicas.scalers_of([hpa]), external=False).ours
    stateful = {**hpa, "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "chat-h200"}}}
    assert replicas.scalers_of([stateful]) == []


def test_a_person_takes_back_what_a_person_wrote_and_nothing_from_a_scaler() -> None:
    by_hand = replicas.owner_of(deployment(KUBECTL), [], external=False)
    later = T0 + timedelta(seconds=5)
    assert replicas.taken_back(by_hand, T0, later)
    assert not replicas.taken_back(by_hand, later, T0)
    assert not replicas.taken_back(by_hand, None, later)
    hpa = replicas.owner_of(
        deployment(HPA), replicas.scalers_of([scaler("HorizontalPodAutoscaler", "c")]), external=False
    )
    assert not replicas.taken_back(hpa, T0, later)


def test_the_condition_names_the_writer_and_the_way_out() -> None:
    by_hand = replicas.condition([replicas.owner_of(deployment(KUBECTL), [], external=False)], 3)
    assert (by_hand.type, by_hand.status, by_hand.reason) == ("ReplicasOwner", "False", "ScaledByHand")
    assert "kubectl, at 2026-11-26T11:00:00Z" in by_hand.message
    assert "lamp scale" in by_hand.message
    assert replicas.condition([replicas.owner_of(deployment(OURS), [], external=False)], 3).status == "True"
    external = replicas.condition([replicas.owner_of(deployment(HPA), [], external=True)], 3)
    assert (external.status, external.reason) == ("True", "External")
