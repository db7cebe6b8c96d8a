"""Who goes first when a variant gets fewer replicas."""

from __future__ import annotations

from apps.pools.domain.victims import Candidate, costs


def test_the_least_saving_cache_goes_first_and_what_is_unread_last() -> None:
    found = costs(
        [Candidate("warm", 90.0), Candidate("unread", None), Candidate("cold", 0.5, busy=3), Candidate("new", 0.5)]
    )
    assert sorted(found, key=lambda name: found[name]) == ["new", "cold", "warm", "unread"]
    assert min(found.values()) > 0, "a pod that was not looked at has cost 0: it would go before all of these"
