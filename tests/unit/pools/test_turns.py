"""Taking turns on the same accelerators: never two awake, nobody starves, nothing is taken from a holder unseen."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.pools.domain.turns import (
    FALL_ASLEEP,
    QUIET,
    REST,
    Member,
    Turn,
    gave_way,
    longest_wait,
    may_be_awake,
    moved,
    promised,
    ruled,
    stands,
)

POOLS = ("a", "b", "c", "d")
SLEEP, WAKE, DRAIN, SLICE = 3.0, 1.0, 4.0, 10.0


class Engine:
    """One pool's engine, which takes its time to wake, to drain and to fall asleep, and does as the turn says."""

    def __init__(self) -> None:
        self.phase, self.until, self.wants, self.quiet = "asleep", 0.0, False, 0.0
        self.within: float | None = None

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
        quiet = None if blind else self.quiet
        return Member(self.wants, quiet, self.phase == "asleep", within=self.within)


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
promises = st.lists(st.none() | st.floats(0, 200, allow_nan=False, width=32), min_size=len(POOLS), max_size=len(POOLS))
moments = st.lists(
    st.tuples(
        st.dictionaries(names, st.tuples(st.booleans(), st.floats(0, 5))), st.frozensets(names), st.frozensets(names)
    ),
    min_size=1,
    max_size=60,
)


@given(moments, promises)
def test_never_two_are_awake_whatever_is_wanted_and_whoever_is_silent(history: list, promised: list) -> None:
    group = Group()
    for engine, within in zip(group.engines.values(), promised, strict=True):
        engine.within = within
    for now, (changes, silent, blind) in enumerate(history):
        for name, (wants, quiet) in changes.items():
            group.engines[name].wants, group.engines[name].quiet = wants, quiet
        group.step(float(now), silent, blind)


@given(st.integers(0, 40), st.sampled_from(POOLS), promises)
def test_who_waits_is_served_within_the_bound_whatever_is_promised(warm_up: int, late: str, promised: list) -> None:
    group = Group()
    for name, within in zip(POOLS, promised, strict=True):
        group.engines[name].wants, group.engines[name].within = name != late, within
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


@given(promises, st.integers(0, 3))
def test_however_short_promises_are_turns_are_not_changed_all_the_time(promised: list, idle: int) -> None:
    """`idle`: how many of the pools ask for nothing. Slices are as long as in production."""
    engines = {name: Engine() for name in POOLS[idle:]}
    for name, within in zip(engines, promised, strict=False):
        engines[name].wants, engines[name].within = True, within
    turn, began, lasted = Turn(), 0.0, []
    for now in range(600):
        for name, engine in engines.items():
            engine.advance(float(now))
            before = turn
            turn = ruled(turn, {other: each.report(blind=True) for other, each in engines.items()}, float(now))
            if turn.holder != before.holder:
                began = now
            if turn.yielding and not before.yielding:
                lasted.append(now - began)
            engine.obey(may_be_awake(turn, name), float(now))
    change = FALL_ASLEEP + 1.0
    assert all(change <= length <= 2 * 30.0 + 1 for length in lasted), lasted
    assert len(lasted) <= 600 / (change + SLEEP + WAKE)
    assert lasted or len(engines) == 1, "and they are changed"


def late(within: float | None, came: float, *, since: float = 0.0, giving_way: float = FALL_ASLEEP) -> float:
    """When a holder with work since `since` gives way to one that waits since `came` (at least then)."""
    members = {"a": Member(True, 0.0, False), "b": Member(True, None, True, within=within)}
    turn = Turn("a", since, waiting=(("b", came),))
    moments = (came + step / 2 for step in range(400))
    return next(now for now in moments if ruled(turn, members, now, giving_way=giving_way).yielding)


def test_a_slice_ends_as_late_as_the_promise_to_who_waits_can_still_be_kept() -> None:
    """From giving way to a first token it takes 7 + 1 + 2 s here."""
    assert late(30.0, came=5.0) == 25.0, "sooner than a slice"
    assert late(30.0, came=29.0) == 49.0, "and later: what was begun may end meanwhile"
    assert late(30.0, came=5.0, giving_way=15.0) == 17.0, "so much sooner as it takes longer"
    assert late(300.0, came=20.0) == 50.0, "nobody waits longer than a slice for that"
    assert late(None, came=29.0) == 30.0, "where nothing is promised it is a slice"
    assert late(2.0, came=25.0) == 30.0, "as where the promise is lost anyway"
    assert late(30.0, came=-8.0, since=0.0) == 12.0, "who waited before the turn began ends it, too"
    assert late(30.0, came=-12.0, since=0.0) == 8.0
    assert late(30.0, came=-13.0, since=0.0) == 30.0, "but not after less than a change takes"


def test_of_all_who_wait_the_most_urgent_ends_the_slice() -> None:
    members = {
        "a": Member(True, 0.0, False),
        "b": Member(True, None, True, within=60.0),
        "c": Member(True, None, True, within=25.0),
    }
    turn = Turn("a", 0.0, waiting=(("b", 1.0), ("c", 2.0)))
    assert not ruled(turn, members, 16.5).yielding
    assert ruled(turn, members, 17.0).yielding
    silent = {name: member for name, member in members.items() if name != "c"}
    assert not ruled(turn, silent, 17.0).yielding, "who does not speak asks for nothing"


def test_requests_that_came_while_a_holder_gave_way_have_waited_since_then() -> None:
    members = {"a": Member(True, 0.0, False), "b": Member(True, None, True), "c": Member(True, None, True)}
    gives = ruled(Turn("a", 0.0, waiting=(("b", 5.0),)), members, 31.0)
    assert (gives.yielding, gives.since) == (True, 31.0)
    assert gives.waiting == (("b", 5.0), ("c", 31.0))
    rests = ruled(gives, {**members, "a": Member(True, None, True)}, 40.0)
    assert rests == Turn("b", 40.0, waiting=(("c", 31.0), ("a", 31.0))), "behind those who waited"


def test_what_a_change_of_turns_takes_is_learned_from_changes() -> None:
    gives, others = Turn("a", 100.0, yielding=True), (Turn(), Turn("b", 120.0), Turn("a", 120.0))
    assert [gave_way(gives, after, 120.0, 7.0) for after in others] == [9.6] * 3
    assert gave_way(gives, gives, 120.0, 7.0) == 7.0
    assert gave_way(Turn("a", 100.0), gives, 120.0, 7.0) == 7.0
    known = 7.0
    for _ in range(30):
        known = gave_way(gives, Turn(), 120.0, known)
    assert 19.9 < known <= 20.0


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


def test_a_holder_that_has_given_its_word_keeps_the_turn_though_it_was_seen_asleep() -> None:
    word = promised(Turn("a", 0.0), "a", 30.0)
    assert word is not None
    members = {"a": Member(False, None, True), "b": Member(True, None, True)}
    assert ruled(word, members, 29.0).holder == "a"
    assert ruled(word, members, 30.0).holder == "b"
    assert promised(Turn("a", 0.0, yielding=True), "a", 30.0) is None
    assert promised(Turn("b", 0.0), "a", 30.0) is None


def test_what_happens_to_a_turn_is_a_sentence() -> None:
    names = {"a": "chat", "b": "code", "c": "mail"}
    works = {"a": Member(True, 0.0, False), "b": Member(True, None, True), "c": Member(True, None, True)}
    held = Turn("a", 10.0, waiting=(("b", 1.0),))
    gives = Turn("a", 40.0, yielding=True, waiting=(("b", 1.0), ("c", 2.0)))
    assert moved(Turn(), held, works, "g", names) == (
        "TurnTaken",
        "it is the turn of chat on the accelerators of group g",
    )
    assert moved(Turn("b"), held, works, "g", names) == (
        "TurnTaken",
        "it is the turn of chat on the accelerators of group g, which code had",
    )
    assert moved(held, gives, works, "g", names) == (
        "GivesWay",
        "chat gives way on the accelerators of group g after 30 s: code, mail wait",
    )
    promised_both = {**works, "b": replace(works["b"], within=20.0), "c": replace(works["c"], within=4.5)}
    assert moved(held, gives, promised_both, "g", names) == (
        "GivesWay",
        "chat gives way on the accelerators of group g after 30 s: code, mail wait; mail is to have its first tokens "
        "within 4.5 s",
    )
    assert moved(held, gives, {**works, "a": Member(True, QUIET, False)}, "g", names) == (
        "GivesWay",
        "chat has nothing to do and gives way on the accelerators of group g: code, mail wait",
    )
    rests = moved(held, Turn("a", yielding=True), works, "g", names)
    assert rests is not None
    assert rests[1].startswith("chat has nothing to do")
    assert moved(gives, gives, works, "g", names) is None
    assert moved(held, Turn(), works, "g", names) is None
    assert stands(held, "a", "g", names) == "it has the accelerators of group g"
    assert stands(held, "b", "g", names) == "chat has the accelerators of group g"
    assert stands(Turn(), "b", "g", names) == "nobody has the accelerators of group g"


def test_who_waits_is_told_since_when() -> None:
    members = {"a": Member(True, 0.0, False), "b": Member(True, None, True)}
    first = ruled(Turn("a", 5.0), members, 10.0)
    assert ruled(first, members, 20.0).waiting == (("b", 10.0),)


def test_an_idle_engine_goes_to_sleep_before_anybody_asks_unless_it_is_alone() -> None:
    idle = {"a": Member(True, REST, False), "b": Member(False, None, True)}
    assert ruled(Turn("a", 0.0), idle, 100.0).yielding
    assert not ruled(Turn("a", 0.0), {**idle, "a": Member(True, REST - 0.1, False)}, 100.0).yielding
    assert not ruled(Turn("a", 0.0), {**idle, "a": Member(True, None, False)}, 100.0).yielding
    assert not ruled(Turn("a", 0.0), {"a": idle["a"]}, 100.0).yielding
    rests = ruled(Turn("a", 0.0, yielding=True), {**idle, "a": Member(False, None, True)}, 108.0)
    assert rests == Turn()


CALL, WORD = 21.0, 30.0
STAGES = ("after the look", "after the word", "call on its way", "after the call", "before the sleep")


class World:
    """Engines, the row in Postgres, and a worker for each pool, which looks, rules, gives its word, calls, and may die
    between any two of these. A call that was sent may take effect after its worker is gone, until it ran out of time.
    That no two engines are up is asserted after every move of anybody."""

    def __init__(self) -> None:
        self.now, self.turn, self.version = 0.0, Turn(), 0
        self.phase: dict[str, str] = dict.fromkeys(POOLS, "asleep")
        self.until: dict[str, float] = {}
        self.calls: dict[str, float] = {}
        self.asks: dict[str, bool] = dict.fromkeys(POOLS, False)
        self.said: dict[str, bool] = dict.fromkeys(POOLS, False)
        self.busy_at = 0.0
        self.stints: list[tuple[str, float, float, bool]] = []
        self.began: dict[str, float] = {}

    def check(self) -> None:
        assert sum(phase != "asleep" for phase in self.phase.values()) <= 1, (self.now, self.phase, self.turn)

    def keep(self, turn: Turn) -> None:
        if turn != self.turn:
            self.turn, self.version = turn, self.version + 1

    def wakes(self, pool: str) -> None:
        if self.phase[pool] == "asleep":
            self.phase[pool], self.until[pool] = "waking", self.now + WAKE
        self.check()

    def passes(self, seconds: float) -> None:
        self.now += seconds
        for pool, at in list(self.calls.items()):
            if at <= self.now:
                del self.calls[pool]
                self.wakes(pool)
        for pool, phase in self.phase.items():
            if phase == "waking" and self.until[pool] <= self.now:
                self.phase[pool], self.began[pool] = "awake", self.now
            if phase == "falling" and self.until[pool] <= self.now:
                self.phase[pool] = "asleep"

    def look(self, pool: str) -> tuple[int, dict[str, str]]:
        self.said[pool] = self.asks[pool] or (self.phase[pool] == "awake" and self.said[pool])
        return self.version, dict(self.phase)

    def works(self, pool: str, seen: tuple[int, dict[str, str]], dies: str, late: float) -> None:
        version, phases = seen
        if dies == "after the look":
            return
        clear = False
        if version == self.version:
            if self.asks.get(self.turn.holder, False) or phases.get(self.turn.holder) != "awake":
                self.busy_at = self.now
            quiet = self.now - self.busy_at
            members = {
                name: Member(self.said[name], quiet if phase == "awake" else None, phase == "asleep")
                for name, phase in phases.items()
            }
            self.keep(ruled(self.turn, members, self.now, slice_seconds=SLICE))
            clear = all(phase == "asleep" for name, phase in phases.items() if name != pool)
        self.acts(pool, phases[pool], may_be_awake(self.turn, pool) and (clear or phases[pool] == "awake"), dies, late)

    def acts(self, pool: str, phase: str, may_serve: bool, dies: str, late: float) -> None:
        if phase == "awake" and self.phase[pool] == "awake" and not may_serve:
            if dies != "before the sleep":
                self.phase[pool], self.until[pool] = "falling", self.now + SLEEP
                self.stints.append((pool, self.began[pool], self.now, self.asks[pool]))
        elif phase == "asleep" and may_serve and self.said[pool]:
            word = promised(self.turn, pool, self.now + WORD)
            if word is None:
                return
            self.keep(word)
            if dies == "after the word":
                return
            if dies == "call on its way":
                self.calls[pool] = self.now + late
                return
            self.wakes(pool)
            if dies != "after the call" and self.turn.holder == pool:
                self.keep(replace(self.turn, promised=0.0))


def ticks_of(some: st.SearchStrategy[str], stages: tuple[str, ...]) -> st.SearchStrategy[tuple]:
    return st.tuples(
        st.dictionaries(some, st.booleans(), max_size=3),
        st.permutations(POOLS),
        st.booleans(),
        st.dictionaries(some, st.sampled_from(stages), max_size=2),
        st.sampled_from((1.0, 1.0, 3.0, 11.0, 25.0)),
        st.sampled_from((2.0, CALL)),
    )


ticks = ticks_of(names, STAGES)


def play(world: World, history: list) -> None:
    """Ticks, in each of which workers of some order look one after another, or all before anybody rules."""
    for asks, order, together, dying, seconds, late in history:
        world.asks.update(asks)
        looks = {pool: world.look(pool) for pool in order} if together else {}
        for pool in order:
            world.works(pool, looks[pool] if together else world.look(pool), dying.get(pool, ""), late)
            world.check()
        world.passes(seconds)


def healthy(world: World, seconds: int) -> None:
    for _ in range(seconds):
        play(world, [({}, POOLS, False, {}, 1.0, CALL)])


@settings(max_examples=300, deadline=None)
@given(st.lists(ticks_of(st.sampled_from(("a", "b")), ("call on its way", "after the word")), max_size=20))
def test_a_call_that_outlives_its_worker_wakes_nobody_beside_another(history: list) -> None:
    play(World(), history)


@settings(max_examples=60, deadline=None)
@given(st.lists(ticks, max_size=25))
def test_whatever_happened_before_everybody_who_asks_is_served_in_turn(history: list) -> None:
    world = World()
    play(world, history)
    world.asks.update(dict.fromkeys(POOLS, True))
    # what the dead left behind lapses, then all are busy all the time
    healthy(world, int(WORD) + 2)
    bound = longest_wait(len(POOLS), slice_seconds=SLICE, drain=0, sleep=SLEEP, wake=WAKE) + 3 * len(POOLS)
    world.stints.clear()
    began = world.now
    healthy(world, 2 * int(bound))
    turns = [pool for pool, *_ in world.stints]
    for at in range(len(turns) - len(POOLS) + 1):
        assert len(set(turns[at : at + len(POOLS)])) == len(POOLS), f"somebody had two turns of four: {turns}"
    for pool in POOLS:
        first = next((start for name, start, *_ in world.stints if name == pool), None)
        assert first is not None, f"{pool} was not served in {2 * bound} s"
        assert first - began <= bound
    for pool, start, end, busy in world.stints:
        assert not busy or start < began or end - start >= SLICE - WAKE - 1, (
            f"{pool} was interrupted after {end - start} s"
        )
    world.asks.update(dict.fromkeys(POOLS, False))
    healthy(world, int((QUIET + REST + SLEEP + WAKE + 3) * len(POOLS)))
    assert set(world.phase.values()) == {"asleep"}, "who has nothing to do sleeps"
    assert world.turn == Turn(), "and nobody has the turn"


@settings(max_examples=60, deadline=None)
@given(st.lists(ticks, max_size=40), names)
def test_one_that_asks_finds_a_group_at_rest_and_is_awake_at_once(history: list, pool: str) -> None:
    world = World()
    play(world, history)
    world.asks.update(dict.fromkeys(POOLS, False))
    healthy(world, int(WORD + (QUIET + REST + SLEEP + WAKE + 3) * len(POOLS)))
    world.asks[pool] = True
    healthy(world, 2 + int(WAKE))
    assert world.phase[pool] == "awake", "it waits for a wake, and for nobody to fall asleep"
