"""Adopting a Deployment that somebody else made: the pure part."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from apps.pools.domain.adoption import ADOPTED, adoptable, fitted, present_managers
from apps.pools.domain.plan import differences, plan, sendable, without_replicas
from apps.pools.domain.replaced import replaced_because
from tests.unit.pools.test_import_proposals import PLAIN
from tests.unit.pools.test_plan_changes import OBJECTS

OURS = next(o for o in OBJECTS if o["kind"] == "Deployment" and o["metadata"]["name"] == "chat-h200")
ALLOWED = frozenset({"kubectl-client-side-apply"})


def theirs(**metadata: Any) -> dict[str, Any]:
    obj = copy.deepcopy(PLAIN)
    obj["metadata"] |= {"uid": "u", "resourceVersion": "1", **metadata}
    return obj


def test_only_what_a_person_named_all_managers_of_is_adopted() -> None:
    assert present_managers(theirs()) == ALLOWED
    assert adoptable(theirs(), ALLOWED)
    assert adoptable(theirs(), ALLOWED | {"more"})
    assert not adoptable(theirs(), frozenset())
    assert not adoptable(theirs(managedFields=[]), ALLOWED), "who declared it is not known"
    assert not adoptable(theirs(labels={"lamplight.dev/pool-uid": "another"}), ALLOWED)
    assert not adoptable(theirs(ownerReferences=[{"kind": "X", "controller": True}]), ALLOWED)
    assert not adoptable({**theirs(), "kind": "Service"}, ALLOWED)


def test_an_adopted_deployment_keeps_its_selector_and_its_count() -> None:
    sent = sendable(OURS, theirs())
    assert sent["spec"]["selector"] == {"matchLabels": {"app": "chat"}}
    labels = sent["spec"]["template"]["metadata"]["labels"]
    assert labels["app"] == "chat"
    assert labels["lamplight.dev/pool-uid"] == OURS["metadata"]["labels"]["lamplight.dev/pool-uid"]
    assert "replicas" not in sent["spec"]
    assert sent["metadata"]["labels"][ADOPTED] == "true"
    stamp = "lamplight.dev/spec-hash"
    assert sent["metadata"]["labels"][stamp] == OURS["metadata"]["labels"][stamp]


def test_once_adopted_it_is_as_declared() -> None:
    adopted = {**sendable(OURS, theirs()), "status": {}}
    assert list(differences(without_replicas(fitted(OURS, adopted)), adopted)) == []
    assert plan([OURS], [adopted]).writes == ()


@pytest.mark.parametrize("label", ["app.kubernetes.io/component", "lamplight.dev/variant"])
def test_a_selector_that_stands_in_the_way_of_ours_is_not_kept(label: str) -> None:
    obj = theirs()
    obj["spec"]["selector"] = {"matchLabels": {label: "theirs"}}
    assert fitted(OURS, obj) == OURS


def test_our_own_objects_are_applied_as_rendered() -> None:
    assert fitted(OURS, OURS) is OURS
    assert fitted(OURS, None) is OURS


def test_the_engine_keeps_the_name_that_it_has_there() -> None:
    """Under another name it would be a second engine in the pod: an apply takes away nobody else's container."""
    (engine,) = sendable(OURS, theirs())["spec"]["template"]["spec"]["containers"][:1]
    assert engine["name"] == "server"
    beside = theirs()
    beside["spec"]["template"]["spec"]["containers"].append({"name": "logs", "image": "fluent-bit:3"})
    assert fitted(OURS, beside)["spec"]["template"]["spec"]["containers"][0]["name"] == "server"
    beside["spec"]["template"]["spec"]["containers"][0]["name"] = OURS["spec"]["template"]["spec"]["containers"][0][
        "name"
    ]
    assert (
        fitted(OURS, beside)["spec"]["template"]["spec"]["containers"] == OURS["spec"]["template"]["spec"]["containers"]
    )


def test_why_pods_are_replaced_is_told_by_names_and_never_by_values() -> None:
    causes = "; ".join(replaced_because(OURS, theirs()))
    assert "labels by which its pods are found" in causes
    assert "arguments that a pool gives its engines (--" in causes
    assert "a drain before an engine stops" in causes
    assert "secret" not in causes and "meta-llama" not in causes
    assert replaced_because(OURS, sendable(OURS, theirs())) == ()
