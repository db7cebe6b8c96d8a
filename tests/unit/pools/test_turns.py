"""Taking turns on the same accelerators: never two awake, nobody starves, nothing is taken from a holder unseen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.pools.domain.turns import Member, Turn, longest_wait, may_be_awake, ruled

POOLS = ("a", "b", "c", "d")
SLEEP, WAKE, DRAIN, SLICE = 3.0, 1.0, 4.0, 10.0


class Engine:
    """One pool's engine, which takes its time to wake, to drain and to fall asleep, and does as the turn says."""

    def __init__(self) -> None:
        self.phase, self.until, self.wants, self.quiet = "asleep", 0.0, False, 0.0

    @property
    def holds(self) -> bool:
        return self.phase != "asleep"

    def advance(self, now: float) -> None:
        if self.phase == "waking" and now >= self.until:
            self.phase = "awake"
        if self.phase == "falling" and now >= self.until:
            self.phase = "asleep"
        if self.phase == "draining" and (now >= self.until or self.quiet > 0):
            self.phase, self.until = "falling", now + SLEEP

    def obey(self, allowed: bool, now: float) -> None:
        if self.phase == "asleep" and allowed and self.wants:
            self.phase, self.until = "waking", now + WAKE
        if self.phase == "awake" and not (allowed and self.wants):
            self.phase, self.until = "draining", now + DRAIN

    def report(self, *, blind: bool) -> Member:
        return Member(self.wants, None if blind else self.quiet, self.phase == "asleep")


class Group:
    def __init__(self) -> None:
        self.turn, self.engines = Turn(), {name: Engine() for name in POOLS}

    def step(self, now: float, silent: frozenset[str], blind: frozenset[str]) -> None:
        """Members speak one after another, some not at all, as reconciles of pools come."""
        for name, engine in self.engines.items():
            engine.advance(now)
            if name in silent:
                continue
            heard = {other: self.engines[other].report(blind=other in blind) for other in POOLS if other not in silent}
            self.turn = ruled(self.turn, heard, now, slice_seconds=SLICE)
            engine.obey(may_be_awake(self.turn, name), now)
            assert sum(each.holds for each in self.engines.values()) <= 1


names = st.sampled_from(POOLS)
moments = st.lists(
    st.tuples(
        st.dictionaries(names, st.tuples(st.booleans(), st.floats(0, 5))), st.frozensets(names), st.frozensets(names)
    ),
    min_size=1,
    max_size=60,
)


@given(moments)
def test_never_two_are_awake_whatever_is_wanted_and_whoever_is_silent(history: list) -> None:
    group = Group()
    for now, (changes, silent, blind) in enumerate(history):
        for name, (wants, quiet) in changes.items():
            group.engines[name].wants, group.engines[name].quiet = wants, quiet
        group.step(float(now), silent, blind)


@given(st.integers(0, 40), st.sampled_from(POOLS))
def test_who_waits_is_served_within_the_bound(warm_up: int, late: str) -> None:
    group = Group()
    for name in POOLS:
        group.engines[name].wants = name != late
    for now in range(warm_up):
        group.step(float(now), frozenset(), frozenset())
    group.engines[late].wants = True
    bound = longest_wait(len(POOLS), slice_seconds=SLICE, drain=DRAIN, sleep=SLEEP, wake=WAKE) + len(POOLS)
    for now in range(warm_up, warm_up + int(bound) + 2):
        group.step(float(now), frozenset(), frozenset())
        if may_be_awake(group.turn, late):
            return
    raise AssertionError(f"{late} waited longer than {bound} s")


def test_a_holder_that_nobody_speaks_for_keeps_the_turn() -> None:
    turn = ruled(Turn(), {"a": Member(True, 0.0, True)}, 0.0)
    assert may_be_awake(turn, "a")
    later = ruled(turn, {"b": Member(True, None, True)}, 1000.0)
    assert later.holder == "a"
    assert later.waiting == (("b", 1000.0),)


def test_an_idle_holder_gives_way_and_one_with_work_keeps_its_slice() -> None:
    turn = ruled(Turn(), {"a": Member(True, None, True)}, 0.0)
    busy = {"a": Member(True, 0.0, False), "b": Member(True, None, True)}
    assert not ruled(turn, busy, 5.0).yielding
    assert ruled(turn, busy, 31.0).yielding
    idle = {**busy, "a": Member(True, 3.0, False)}
    given_way = ruled(turn, idle, 5.0)
    assert given_way.yielding
    assert ruled(given_way, {**idle, "a": Member(False, None, True)}, 12.0).holder == "b"
