"""Which engines are tried beside others: by the label of a trial, else by the younger of two templates."""

from __future__ import annotations

from typing import Any

from apps.pools.domain.tiers.canary import CANARY
from apps.telemetry.domain.tracks import canaries


def pod(name: str, template: str = "a", at: int = 0, tiers: bool = False, **labels: str) -> dict[str, Any]:
    created = f"2026-11-26T10:00:{at:02}Z"
    known = {"pod-template-hash": template, **labels}
    metadata = {"uid": f"uid-{name}", "name": name, "creationTimestamp": created, "labels": known}
    return {"metadata": metadata, "spec": {"containers": [{"args": ["--tiers"] if tiers else []}]}}


def test_pods_of_one_template_have_no_canary() -> None:
    assert canaries([pod("one"), pod("two", at=9)]) == frozenset()
    assert canaries([]) == frozenset()


def test_the_younger_template_is_the_canary_even_where_the_older_one_made_the_newest_pod() -> None:
    rolled = [pod("old"), pod("new", "b", at=10), pod("old-again", at=20)]
    assert canaries(rolled) == {"uid-new"}
    assert canaries(rolled[::-1]) == {"uid-new"}


def test_a_trial_is_told_by_its_label_whatever_its_age() -> None:
    trial = pod("trial", "t", at=0, tiers=True, **{CANARY: "tiers"})
    assert canaries([trial, pod("stable", at=30)]) == {"uid-trial"}
    # nothing is left to compare it with
    assert canaries([trial]) == frozenset()


def test_a_trial_that_was_kept_is_one_like_the_others_once_they_have_what_it_has() -> None:
    trial = pod("trial", "t", at=0, tiers=True, **{CANARY: "tiers"})
    old, new = pod("old", "a", at=1), pod("new", "b", at=9, tiers=True)
    assert canaries([trial, old, new]) == {"uid-trial"}, "until all have it"
    assert canaries([trial, new]) == frozenset()
    assert canaries([trial, new, pod("newer", "c", at=20, tiers=True)]) == {"uid-newer"}, "the next roll-out"


def test_groups_are_told_by_their_revision() -> None:
    revision = "leaderworkerset.sigs.k8s.io/template-revision-hash"
    old, new = pod("chat-0-1"), pod("chat-1-1", at=5)
    for one, name in ((old, "x"), (new, "y")):
        one["metadata"]["labels"] = {revision: name}
    assert canaries([old, new]) == {"uid-chat-1-1"}
