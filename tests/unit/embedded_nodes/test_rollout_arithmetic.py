"""The rolling update: its bounds hold in every state, and it always ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.controllers.domain import rollout
from tests.unit.embedded_nodes.builders import deployment, replica_set

counts = st.integers(0, 20)
limits = st.one_of(st.integers(0, 10), st.integers(0, 100).map(lambda percent: f"{percent}%"))


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", (1, 1)),
        (1, "25%", "25%", (1, 0)),  # surge rounds up, unavailable rounds down
        (10, 0, 0, (0, 1)),  # both zero could never move
        (10, 3, 2, (3, 2)),
        (3, "0%", "10%", (0, 1)),
    ],
)
def test_fenceposts(replicas: int, surge: object, unavailable: object, expected: tuple[int, int]) -> None:
    assert rollout.fenceposts(deployment(replicas, surge, unavailable)) == expected


def test_percentage_or_number_only() -> None:
    with pytest.raises(ValueError, match="neither a number nor a percentage"):
        rollout.fenceposts(deployment(3, "one", 0))


@given(replicas=counts, surge=limits, unavailable=limits, old=counts, ready_old=counts, new=counts, ready_new=counts)
def test_one_step_keeps_both_bounds(
    replicas: int, surge: object, unavailable: object, old: int, ready_old: int, new: int, ready_new: int
) -> None:
    wanted = deployment(replicas, surge, unavailable)
    before = replica_set("old", old, min(ready_old, old), age=10)
    current = replica_set("new", new, min(ready_new, new))
    grown = rollout.new_replica_count(wanted, [before, current], new)
    ceiling = replicas + rollout.max_surge(wanted)
    assert grown >= new
    assert grown == new or old + grown <= ceiling
    assert grown <= max(new, replicas)

    shrunk = rollout.scale_down_old(wanted, current, [before]).get("old", old)
    assert 0 <= shrunk <= old
    healthy_left = min(shrunk, min(ready_old, old)) + min(ready_new, new)
    floor = replicas - rollout.max_unavailable(wanted)
    had = min(ready_old, old) + min(ready_new, new)
    assert healthy_left >= min(had, floor)


@given(replicas=counts, surge=limits, unavailable=limits, old=st.lists(counts, min_size=0, max_size=3))
def test_a_rollout_ends_with_only_the_new_replica_set(
    replicas: int, surge: object, unavailable: object, old: list[int]
) -> None:
    """Driven as the controller drives it, with pods that become available at once."""
    wanted = deployment(replicas, surge, unavailable)
    sizes = {f"old{index}": size for index, size in enumerate(old)}
    new = 0
    for _ in range(200):
        everything = [replica_set(name, size, size, age=10) for name, size in sizes.items()]
        current = replica_set("new", new, new)
        target = replicas if new > replicas else rollout.new_replica_count(wanted, [*everything, current], new)
        if target != new:
            new = target
            continue
        shrink = rollout.scale_down_old(wanted, current, everything)
        if not shrink:
            break
        sizes |= shrink
    assert new == replicas
    assert sum(sizes.values()) == 0


def test_unhealthy_old_replicas_go_before_healthy_ones() -> None:
    wanted = deployment(4, 1, 1)
    broken, good = replica_set("broken", 1, 0, age=10), replica_set("good", 3, 3, age=20)
    assert rollout.scale_down_old(wanted, replica_set("new", 1, 0), [good, broken]) == {"broken": 0}


@given(
    replicas=st.integers(1, 30),
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=4),
    surge=limits,
)
def test_scaling_in_the_middle_of_a_rollout_sums_up_to_what_is_allowed(
    replicas: int, sizes: list[int], surge: object
) -> None:
    wanted = deployment(replicas, surge, 0)
    sets = [replica_set(f"rs{index}", size, 0, age=index) for index, size in enumerate(sizes)]
    for rs in sets:
        rs["metadata"]["annotations"]["deployment.kubernetes.io/max-replicas"] = str(sum(sizes))
    planned = rollout.scale(wanted, sets[0], sets[1:])
    allowed = replicas + rollout.max_surge(wanted)
    # what rounding leaves over is taken from the largest set alone, as Kubernetes does: it may have less than that
    assert sum(planned.values()) == allowed or (sum(planned.values()) > allowed and min(planned.values()) == 0)
    assert all(size >= 0 for size in planned.values())


def test_a_single_active_replica_set_takes_the_whole_scale() -> None:
    assert rollout.scale(deployment(5), replica_set("new", 0), [replica_set("old", 2)]) == {"old": 5}
    assert rollout.scale(deployment(5), replica_set("new", 0, age=0), [replica_set("old", 0, age=9)]) == {"new": 5}


def test_scaling_event_only_when_an_active_set_was_sized_for_another_count() -> None:
    assert rollout.is_scaling_event(deployment(5), [replica_set("a", 3, desired=3)])
    assert not rollout.is_scaling_event(deployment(5), [replica_set("a", 5, desired=5)])
    assert not rollout.is_scaling_event(deployment(5), [replica_set("a", 0, desired=3)])


def test_clean_up_keeps_the_newest_revisions_and_never_a_set_with_pods() -> None:
    def old(name: str, revision: int, replicas: int = 0) -> dict:
        rs = replica_set(name, replicas)
        rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = str(revision)
        return rs

    sets = [old("r3", 3), old("r1", 1), old("r2", 2, replicas=1)]
    names = [rs["metadata"]["name"] for rs in rollout.to_clean_up(deployment(1, revisionHistoryLimit=1), sets)]
    assert names == ["r1"]
