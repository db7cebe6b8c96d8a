"""Who waits, in which order they go, and what is refused."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.physics.routing.flow import ROUND_ROBIN, Band, FlowControl, FlowQueue, Waiting


def waiting(name: str, priority: int = 0, tenant: str = "t", size: int = 1, since: float = 0.0, until: float = 60.0,
            slo: float = float("inf")) -> Waiting[str]:  # fmt: skip
    return Waiting(name, priority, tenant, size, since, until, slo)


def drained(queue: FlowQueue[str]) -> list[str]:
    gone = []
    while (each := queue.next()) is not None:
        gone.append(each.ticket)
    assert len(queue) == queue.bytes == 0
    return gone


def test_bands_are_strict_and_then_first_come_first_served() -> None:
    queue: FlowQueue[str] = FlowQueue(FlowControl())
    for each in (
        waiting("low", -1, since=0),
        waiting("b", 0, since=2),
        waiting("high", 10, since=9),
        waiting("a", 0, since=1),
    ):
        queue.add(each)
    assert drained(queue) == ["high", "a", "b", "low"]


def test_tenants_take_turns() -> None:
    queue: FlowQueue[str] = FlowQueue(FlowControl(default=Band(fairness=ROUND_ROBIN)))
    for number in range(4):
        queue.add(waiting(f"big{number}", tenant="big", since=number))
    queue.add(waiting("small", tenant="small", since=9))
    assert drained(queue) == ["big0", "small", "big1", "big2", "big3"]


def test_deadlines() -> None:
    for ordering, first in (("edf-ordering-policy", "soon"), ("slo-deadline-ordering-policy", "slo")):
        queue: FlowQueue[str] = FlowQueue(FlowControl(default=Band(ordering=ordering)))
        queue.add(waiting("old", since=0, until=90))
        queue.add(waiting("soon", since=1, until=10))
        queue.add(waiting("slo", since=2, until=80, slo=3))
        assert drained(queue)[0] == first


def test_bounds_of_the_whole_and_of_a_band() -> None:
    limits = FlowControl(max_requests=3, max_bytes=100, bands={5: Band(max_requests=1, max_bytes=50)})
    queue: FlowQueue[str] = FlowQueue(limits)
    assert queue.fits(5, 50)
    assert not queue.fits(5, 51)
    queue.add(waiting("a", 5, size=10))
    assert not queue.fits(5, 1)
    assert queue.fits(0, 90)
    assert not queue.fits(0, 91)
    queue.add(waiting("b"))
    queue.add(waiting("c"))
    assert not queue.fits(0, 1)
    assert queue.held(5) == (1, 10)


def test_one_who_leaves_is_gone() -> None:
    queue: FlowQueue[str] = FlowQueue(FlowControl())
    one = waiting("a")
    queue.add(one)
    assert queue.remove(one)
    assert not queue.remove(one)
    assert queue.next() is None


@given(
    st.lists(st.tuples(st.integers(-2, 2), st.sampled_from("xyz"), st.integers(1, 9)), max_size=40),
    st.sampled_from(["global-strict-fairness-policy", ROUND_ROBIN]),
)
def test_nobody_is_lost_and_no_lower_band_overtakes(added: list[tuple[int, str, int]], fairness: str) -> None:
    queue: FlowQueue[int] = FlowQueue(FlowControl(default=Band(fairness=fairness)))
    for number, (priority, tenant, size) in enumerate(added):
        queue.add(Waiting(number, priority, tenant, size, float(number), 60.0))
    assert queue.bytes == sum(size for _, _, size in added)
    gone = []
    while (each := queue.next()) is not None:
        gone.append(each.ticket)
    assert sorted(gone) == list(range(len(added)))
    priorities = [added[number][0] for number in gone]
    assert priorities == sorted(priorities, reverse=True)
    for tenant in "xyz":
        for priority in range(-2, 3):
            mine = [number for number in gone if added[number][:2] == (priority, tenant)]
            assert mine == sorted(mine)
