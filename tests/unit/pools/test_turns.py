"""Taking turns on the same accelerators: never two awake, nobody starves, nothing is taken from a holder unseen."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from apps.pools.domain.turns import Member, Turn, longest_wait, may_be_awake, promised, ruled

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


def test_nobody_gets_the_turn_while_an_engine_of_anybody_else_might_be_awake() -> None:
    waking_by_itself = Member(False, None, False)
    turn = ruled(Turn(), {"a": Member(True, None, True), "b": waking_by_itself}, 0.0)
    assert turn.holder == ""
    assert turn.waiting == (("a", 0.0),)
    assert ruled(turn, {"a": Member(True, None, True), "b": Member(False, None, True)}, 1.0).holder == "a"


def test_a_slice_begins_once_the_engine_has_started() -> None:
    turn = Turn("a", 0.0)
    members = {"a": Member(True, None, False, starting=True), "b": Member(True, None, True)}
    started = ruled(turn, members, 300.0)
    assert not started.yielding
    serving = {**members, "a": Member(True, 0.0, False)}
    assert not ruled(started, serving, 329.0).yielding
    assert ruled(started, serving, 330.0).yielding


CALL, WORD = 21.0, 30.0
PAIR = ("a", "b")
pairs = st.sampled_from(PAIR)


def test_a_holder_that_has_given_its_word_keeps_the_turn_though_it_was_seen_asleep() -> None:
    word = promised(Turn("a", 0.0), "a", 30.0)
    assert word is not None
    members = {"a": Member(False, None, True), "b": Member(True, None, True)}
    assert ruled(word, members, 29.0).holder == "a"
    assert ruled(word, members, 30.0).holder == "b"
    assert promised(Turn("a", 0.0, yielding=True), "a", 30.0) is None
    assert promised(Turn("b", 0.0), "a", 30.0) is None


class Protocol(RuleBasedStateMachine):
    """Workers of all pools that look, rule, give their word and wake, each step at any time, and die between any two of
    them. A call that was sent may still take effect after its worker is gone, until it has run out of time."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.turn, self.version = 0.0, Turn(), 0
        self.awake: set[str] = set()
        self.wants: dict[str, bool] = dict.fromkeys(PAIR, True)
        self.looks: dict[str, tuple[int, frozenset[str]]] = {}
        self.clear: dict[str, bool] = {}
        self.calls: dict[str, float] = {}

    def keep(self, turn: Turn) -> None:
        if turn != self.turn:
            self.turn, self.version = turn, self.version + 1

    @rule(pool=pairs, wants=st.booleans())
    def change(self, pool: str, wants: bool) -> None:
        self.wants[pool] = wants

    @rule(pool=pairs, seconds=st.sampled_from((1.0, 1.0, 11.0, 31.0)))
    def later(self, pool: str, seconds: float) -> None:
        self.now += seconds
        self.awake -= {pool} if not may_be_awake(self.turn, pool) or not self.wants[pool] else set()

    @rule(pool=pairs)
    def look(self, pool: str) -> None:
        self.looks[pool] = (self.version, frozenset(self.awake))

    @rule(pool=pairs, quiet=st.sampled_from((None, 0.0, 5.0)))
    def decide(self, pool: str, quiet: float | None) -> None:
        version, seen = self.looks.pop(pool, (self.version, frozenset(self.awake)))
        self.clear[pool] = False
        if version != self.version:
            return
        members = {name: Member(self.wants[name], quiet if name in seen else None, name not in seen) for name in PAIR}
        self.keep(ruled(self.turn, members, self.now, slice_seconds=SLICE))
        self.clear[pool] = not seen - {pool}

    @rule(pool=pairs, dies=st.sampled_from(("before the call", "after the call", "")))
    def wake(self, pool: str, dies: str) -> None:
        word = promised(self.turn, pool, self.now + WORD)
        if not self.clear.get(pool) or word is None:
            return
        self.keep(word)
        if dies == "before the call":
            self.calls[pool] = self.now + CALL
            return
        self.awake.add(pool)
        if not dies:
            self.keep(replace(self.turn, promised=0.0))

    @rule(pool=pairs)
    def a_dead_workers_call_takes_effect(self, pool: str) -> None:
        if self.calls.pop(pool, -1.0) >= self.now:
            self.awake.add(pool)

    @invariant()
    def one_is_awake(self) -> None:
        assert len(self.awake) <= 1


TestProtocol = Protocol.TestCase
TestProtocol.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
