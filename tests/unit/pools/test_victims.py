"""Who goes first when a variant gets fewer replicas."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from apps.pools import victims
from apps.pools.domain.pods import Replica
from apps.pools.domain.victims import DELETION_COST, Candidate, costs


def test_the_least_saving_cache_goes_first_and_what_is_unread_last() -> None:
    found = costs(
        [Candidate("warm", 90.0), Candidate("unread", None), Candidate("cold", 0.5, busy=3), Candidate("new", 0.5)]
    )
    assert sorted(found, key=lambda name: found[name]) == ["new", "cold", "warm", "unread"]
    assert min(found.values()) > 0, "a pod that was not looked at has cost 0: it would go before all of these"


def _replica(name: str) -> Replica:
    return Replica(name, "h200", "engine", "Running", True, False, "node", "10.0.0.1", 0, "", "", "engine", None)


def test_the_most_valuable_is_marked_first_and_all_marks_have_a_moment_before_anything_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[object] = []
    saved = {"cold": 0.5, "warm": 90.0, "new": 0.1}
    kube = Mock()
    kube.apply.side_effect = lambda manifest, **_: done.append(
        (manifest["metadata"]["name"], manifest["metadata"]["annotations"][DELETION_COST])
    )
    monkeypatch.setattr(victims, "_candidate", lambda pod: Candidate(pod.name, saved[pod.name]))
    monkeypatch.setattr("time.sleep", done.append)
    victims.mark(kube, Mock(namespace="team"), [_replica(name) for name in saved], Mock())
    # a mark that the ReplicaSet controller has not heard of counts as 0: it must be one of those that are to go
    assert done == [("warm", "3"), ("cold", "2"), ("new", "1"), victims._MOMENT_S]
