"""Several sets of accelerators: never two pools awake on one, nobody starves, and who asks takes what is free."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.pools.domain.places import Need, asked, room_to_spare, serving
from apps.pools.domain.turns import Member, Turn, all_stand, longest_wait, may_be_awake, ruled

POOLS = ("a", "b", "c", "d")
SLEEP, WAKE, DRAIN, START, SLICE = 3.0, 1.0, 4.0, 9.0, 10.0


class Engine:
    """One pool's engine on one set, which does as it is told in its own time; "none" before it is first started."""

    def __init__(self, phase: str) -> None:
        self.phase, self.until = phase, 0.0

    @property
    def rests(self) -> bool:
        return self.phase in ("asleep", "none")

    def advance(self, now: float) -> None:
        if now >= self.until:
            self.phase = {"waking": "awake", "starting": "awake", "draining": "falling", "falling": "asleep"}.get(
                self.phase, self.phase
            )
            if self.phase == "falling":
                self.until = now + SLEEP

    def obey(self, serve: bool, now: float) -> None:
        if serve and self.phase in ("asleep", "none"):
            took = WAKE if self.phase == "asleep" else START
            self.phase, self.until = ("waking" if self.phase == "asleep" else "starting"), now + took
        if not serve and self.phase == "awake":
            self.phase, self.until = "draining", now + DRAIN


class Group:
    """Pools look one after another, some not at all, each at all sets, and say which they want."""

    def __init__(self, sets: int, *, there: bool = True) -> None:
        self.turns = [Turn() for _ in range(sets)]
        self.engines = {name: [Engine("asleep" if there else "none") for _ in range(sets)] for name in POOLS}
        self.wanted = dict.fromkeys(POOLS, 0)
        self.quiet = dict.fromkeys(POOLS, 0.0)
        self.within: dict[str, float | None] = dict.fromkeys(POOLS)
        self.wants: dict[str, frozenset[int]] = {}

    def member(self, name: str, at: int, *, blind: bool = False) -> Member:
        engine = self.engines[name][at]
        quiet = None if blind or engine.phase != "awake" else self.quiet[name]
        starting = engine.phase == "starting"
        return Member(at in self.wants.get(name, ()), quiet, engine.rests, starting, self.within[name])

    def clear(self, at: int, but: str = "") -> bool:
        return all(self.engines[name][at].rests for name in POOLS if name != but)

    def look(self, name: str, now: float, blind: frozenset[str] = frozenset()) -> None:
        every = range(len(self.turns))
        mine = self.engines[name]
        need = Need(
            self.wanted[name],
            bool(self.wanted[name]) and not any(engine.phase == "awake" for engine in mine),
            [self.member(name, at, blind=name in blind) for at in every],
            [engine.phase != "none" for engine in mine],
            [self.clear(at, name) for at in every],
            [0.0 for _ in every],
        )
        wants = self.wants[name] = asked(self.turns, name, need)
        for at in every:
            members = {other: self.member(other, at, blind=other in blind) for other in POOLS}
            self.turns[at] = ruled(self.turns[at], members, now, slice_seconds=SLICE)
        has = [may_be_awake(turn, name) for turn in self.turns]
        serves = serving(self.wanted[name], has, [engine.phase == "awake" for engine in mine])
        for at in every:
            fills = at in wants and has[at] and mine[at].phase == "none"
            mine[at].obey((serves[at] or fills) and (self.clear(at, name) or mine[at].phase == "awake"), now)
        self.check()

    def check(self) -> None:
        for at in range(len(self.turns)):
            awake = [name for name in POOLS if not self.engines[name][at].rests]
            assert len(awake) <= 1, f"{awake} are awake on set {at}"

    def step(self, now: float, silent: frozenset[str] = frozenset(), blind: frozenset[str] = frozenset()) -> None:
        for name in POOLS:
            for engine in self.engines[name]:
                engine.advance(now)
        for name in POOLS:
            if name not in silent:
                self.look(name, now, blind)

    def serves(self, name: str) -> int:
        return sum(engine.phase == "awake" for engine in self.engines[name])


names = st.sampled_from(POOLS)
promises = st.dictionaries(names, st.none() | st.floats(0, 200, allow_nan=False, width=32))
moments = st.lists(
    st.tuples(
        st.dictionaries(names, st.tuples(st.integers(0, 3), st.floats(0, 9))),
        st.frozensets(names),
        st.frozensets(names),
    ),
    min_size=1,
    max_size=25,
)


def play(group: Group, history: list) -> float:
    for now, (changes, silent, blind) in enumerate(history):
        for name, (wanted, quiet) in changes.items():
            group.wanted[name], group.quiet[name] = wanted, quiet
        group.step(float(now), silent, blind)
    return float(len(history))


@settings(max_examples=100, deadline=None)
@given(moments, st.integers(1, 3), st.booleans(), promises)
def test_never_two_are_awake_on_a_set_whatever_is_wanted_and_whoever_is_silent(
    history: list, sets: int, there: bool, promised: dict
) -> None:
    group = Group(sets, there=there)
    group.within.update(promised)
    play(group, history)


@settings(max_examples=40, deadline=None)
@given(moments, st.integers(1, 3), names, st.booleans(), promises)
def test_who_waits_is_served_within_the_bound_of_one_set(
    history: list, sets: int, late: str, there: bool, promised: dict
) -> None:
    """However busy the others are, however many sets they would like to have, and whatever is promised to whom."""
    group = Group(sets, there=there)
    group.within.update(promised)
    now = play(group, history)
    group.quiet = dict.fromkeys(POOLS, 0.0)
    group.wanted = {name: 1 if name == late else 3 for name in POOLS}
    # a set on which it has no engine yet is started there, once
    starts = START * len(POOLS) * sets if not there else 0.0
    bound = longest_wait(len(POOLS), slice_seconds=SLICE, drain=DRAIN, sleep=SLEEP, wake=WAKE) + starts + 2 * len(POOLS)
    for tick in range(int(bound) + 2):
        if group.serves(late):
            return
        group.step(now + tick)
    raise AssertionError(f"{late} waited longer than {bound} s for one of {sets} sets: {group.turns}")


@settings(max_examples=40, deadline=None)
@given(moments, names)
def test_one_that_asks_finds_sets_at_rest_and_is_awake_at_once(history: list, pool: str) -> None:
    group = Group(2)
    now = play(group, history)
    group.wanted = dict.fromkeys(POOLS, 0)
    group.quiet = dict.fromkeys(POOLS, 60.0)
    for tick in range(60):
        group.step(now + tick)
    assert all(group.clear(at) for at in range(2)), "who has nothing to do sleeps"
    assert group.turns == [Turn(), Turn()]
    group.wanted[pool], group.quiet[pool] = 1, 0.0
    group.step(now + 60)
    group.step(now + 61)
    assert group.serves(pool) == 1


def test_as_many_pools_are_awake_as_there_are_sets_and_a_second_engine_goes_first() -> None:
    group = Group(2)
    group.wanted["a"] = 2
    for now in range(10):
        group.step(float(now))
    assert group.serves("a") == 1, "a set stays free for whoever is asked next"
    group.wanted["b"] = 1
    for now in range(10, 14):
        group.step(float(now))
    assert (group.serves("a"), group.serves("b")) == (1, 1)
    three = Group(3)
    three.wanted["a"] = 3
    for now in range(10):
        three.step(float(now))
    assert three.serves("a") == 2
    three.wanted.update(b=1, c=1)
    for now in range(10, 30):
        three.step(float(now))
    assert [three.serves(name) for name in POOLS[:3]] == [1, 1, 1]


SLEEPS, BUSY, IDLE = Member(False, None, True), Member(False, 0.0, False), Member(False, 1.0, False)


def need(wanted: int, waits: bool, *engines: Member, clear: tuple[bool, ...], idle: tuple[float, ...] = (0, 0)) -> Need:
    return Need(wanted, waits, engines, [True] * len(engines), clear, idle)


def test_who_has_no_set_asks_for_the_one_that_is_given_up_soonest() -> None:
    turns = [Turn("a"), Turn("b")]
    waits = need(1, True, SLEEPS, SLEEPS, clear=(False, False), idle=(0.0, 1.0))
    assert asked(turns, "c", waits) == {1}
    assert asked([Turn("a", waiting=(("c", 1.0),)), Turn("b")], "c", waits) == {0}, "it stays in its queue"
    assert asked(
        [Turn("a", waiting=(("d", 1.0),)), Turn("b")], "c", need(1, True, SLEEPS, SLEEPS, clear=(False, False))
    ) == {1}
    assert asked([Turn("a"), Turn()], "c", need(1, True, SLEEPS, SLEEPS, clear=(False, True))) == {1}
    queued = [Turn("a", waiting=(("c", 1.0),)), Turn()]
    free = need(1, True, SLEEPS, SLEEPS, clear=(False, True))
    assert asked(queued, "c", free) == {0, 1}, "and takes what is free, without leaving it before"
    assert asked(turns, "a", need(0, False, BUSY, SLEEPS, clear=(True, False))) == frozenset()
    both = [Turn("a"), Turn("a", waiting=(("c", 1.0),))]
    assert asked(both, "a", need(2, False, BUSY, BUSY, clear=(True, True))) == {0}, "a second one is given up"


def test_an_engine_is_started_on_a_free_set_before_it_is_needed_there_and_nobody_waits_for_a_start() -> None:
    first = Need(1, True, (SLEEPS, SLEEPS), (False, False), (True, True), (0, 0))
    assert asked([Turn(), Turn()], "a", first) == {0}, "the first start is for who asks"
    serves = Need(1, False, (BUSY, SLEEPS), (True, False), (True, True), (0, 0))
    assert asked([Turn("a"), Turn()], "a", serves) == {0, 1}
    begun = Need(1, False, (BUSY, SLEEPS), (True, False), (True, True), (0, 0))
    assert asked([Turn("a"), Turn("a")], "a", begun) >= {0}
    waits = Need(1, True, (SLEEPS, SLEEPS), (True, False), (False, True), (0, 0))
    assert asked([Turn("b"), Turn()], "a", waits) == {0}, "a turn comes sooner than a start ends"


def test_which_engines_serve_and_whose_turn_it_is_is_said() -> None:
    assert serving(1, [True, True], [False, True]) == (False, True)
    assert serving(2, [True, True], [False, True]) == (True, True)
    assert serving(1, [True, False], [False, True]) == (True, False)
    assert serving(0, [True], [True]) == (False,)
    assert room_to_spare([Turn("a"), Turn()], [False, True])
    assert not room_to_spare([Turn("a"), Turn()], [True, False])
    named = all_stand([Turn("a"), Turn("b")], "a", "g", {"a": "chat", "b": "code"})
    assert named == "it has the accelerators of group g, set 1; code has the accelerators of group g, set 2"
