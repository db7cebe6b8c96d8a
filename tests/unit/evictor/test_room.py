"""How full the folder is between two looks, and what is kept free of the quota."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from apps.evictor.chunks import Chunks
from apps.evictor.queue import Queue
from apps.evictor.room import FIRST_LATENCY, LEAST_LATENCY, Room

QUOTA = 1_000_000


def looked(held: int, volume: int) -> Room:
    room = Room(QUOTA, 0.95, 0.85)
    room.turn(0.0, volume)
    room.look_begins()
    room.look_ends(0.0, held)
    # all that the volume grows by is ours, as a look has shown
    room.share = 1.0
    return room


def test_what_the_volume_grows_by_is_held_at_once() -> None:
    room = looked(500_000, 7_000_000)
    room.turn(0.1, 7_040_000)
    assert room.held == pytest.approx(540_000)
    room.removed(100_000, seen=100_000)
    room.turn(0.2, 6_980_000)
    assert room.held == pytest.approx(480_000)


def test_the_faster_engines_write_the_more_is_kept_free() -> None:
    slow, fast = looked(0, 0), looked(0, 0)
    for turn in range(1, 50):
        slow.turn(turn / 10, turn * 100)
        fast.turn(turn / 10, turn * 50_000)
    assert fast.growth == pytest.approx(500_000, rel=0.05)
    assert fast.reserve == pytest.approx(1.44 * fast.growth * (fast.reaction + fast.quick))
    assert fast.reserve > fast.growth * fast.latency
    assert fast.ceiling < fast.limit < slow.limit <= QUOTA
    # a burst is remembered for the next one
    for turn in range(50, 100):
        fast.turn(turn / 10, 49 * 50_000)
    assert fast.growth < 0.02 * fast.peak
    assert fast.reserve > 0.9 * 500_000 * fast.latency * 0.9


def test_a_slow_turn_is_believed_at_once_and_rest_is_none() -> None:
    room = looked(0, 0)
    room.turn(3.0, 300_000)
    assert room.latency == 3.0
    room = looked(0, 0)
    room.turn(3.0, 300_000, slept=3.0)
    assert room.latency == FIRST_LATENCY
    room.turn(3.1, 300_000, slept=0.1, lag=0.7)
    assert room.latency == pytest.approx(0.7)
    for turn in range(100):
        room.turn(4.0 + turn, 300_000, slept=1.0, lag=0.01)
    assert room.latency == LEAST_LATENCY


def test_what_is_told_is_held_whatever_others_write_to_the_volume() -> None:
    room = looked(500_000, 0)
    room.look_begins()
    room.look_ends(0.5, 500_000, watched=True)
    room.turn(1.0, 900_000, arrived=40_000)
    assert (room.held, room.unseen, room.doubtful) == (540_000, 0.0, False)
    room.removed(100_000, seen=40_000)
    assert room.held == 500_000
    for turn in range(11, 40):
        room.turn(turn / 10, 900_000, arrived=30_000)
    assert room.growth == pytest.approx(300_000, rel=0.05)
    assert room.least_quota == pytest.approx(1.44 * room.peak * (room.reaction + room.quick) / 0.25)


def test_past_the_brink_is_no_more_room_than_is_written_before_it_is_noticed() -> None:
    room = looked(500_000, 0)
    room.look_ends(0.5, 500_000, watched=True)
    assert room.brink == pytest.approx(0.97 * QUOTA), "a burst that nobody has seen begin finds some room"
    for turn in range(6, 60):
        # removing an old one takes two seconds, noticing a tenth of one
        room.turn(turn / 10, 0, arrived=20_000, lag=2.0)
    assert room.reserve == pytest.approx(0.25 * QUOTA), "no store is kept half empty by a slow disk"
    assert room.brink == pytest.approx(QUOTA - 1.2 * room.peak * (room.reaction + room.quick))
    assert room.ceiling < room.limit < room.brink < QUOTA
    assert room.floor > 0.67 * QUOTA
    room.turn(6.1, 0, arrived=20_000, quick=0.4)
    assert room.brink == pytest.approx(QUOTA - 1.2 * room.peak * (room.reaction + 0.4)), "what goes slowly goes sooner"
    before = room.brink
    room.aside = 50_000
    assert room.brink == pytest.approx(before - 50_000)


def test_a_burst_that_nobody_has_seen_begin_finds_room() -> None:
    room = Room(QUOTA, 0.95, 0.85, fastest=500_000.0)
    room.look_ends(0.0, 0, watched=True)
    assert room.reserve == pytest.approx(500_000 * FIRST_LATENCY)
    assert room.ceiling == pytest.approx(QUOTA - 1.25 * 500_000 * FIRST_LATENCY)
    assert room.least_quota == 0, "what is only feared makes no quota too small"
    large = Room(1000 * QUOTA, 0.95, 0.85, fastest=500_000.0)
    assert large.ceiling == 950 * QUOTA, "of a large one it takes nothing"


@given(
    st.floats(1e3, 4e5), st.floats(0.01, 0.12), st.floats(0.0, 0.12), st.integers(0, 20_000),
)  # fmt: skip
def test_the_quota_holds_against_whoever_writes_no_faster_than_lately(
    speed: float, turn: float, gone_after: float, aside: int
) -> None:
    """The bound of the module: writers that begin at full speed on a folder at its ceiling, turns as far apart as
    lately, and what is turned away gone as late as lately."""
    room = Room(QUOTA, 0.95, 0.85)
    room.look_ends(0.0, 0, watched=True)
    room.aside = aside
    at = 0.0
    # what was seen lately; old chunks went meanwhile
    for _ in range(400):
        at += turn
        room.turn(at, 0, arrived=int(speed * turn), quick=gone_after)
        room.removed(int(speed * turn), seen=int(speed * turn))
    assume(room.least_quota <= QUOTA)
    room.removed(0, seen=int(room.seen - room.brink))
    # in steps of a tenth of a turn: what lies there, noticed or not
    there, unnoticed, worst = room.held + aside, 0.0, 0.0
    leaving: list[tuple[float, float]] = []
    gone: list[float] = []
    for step in range(1, 2000):
        now = at + step * turn / 10
        there, unnoticed = there + speed * turn / 10, unnoticed + speed * turn / 10
        worst = max(worst, there)
        for one in [one for one in leaving if one[0] <= now]:
            leaving.remove(one)
            there -= one[1]
            gone.append(one[1])
        if step % 10 == 0:
            for size in gone:
                room.removed(int(size), seen=int(size))
            gone.clear()
            room.turn(now, 0, arrived=int(unnoticed), quick=gone_after)
            unnoticed = 0.0
            over = room.held - sum(size for _, size in leaving) - room.brink
            if over > 0:
                leaving.append((now + gone_after, over))
    assert worst <= QUOTA


def test_a_look_sees_half_of_what_is_written_while_it_goes_on() -> None:
    room = looked(0, 0)
    room.look_begins()
    room.turn(1.0, 200_000)
    room.look_ends(1.0, 100_000)
    assert room.held == pytest.approx(200_000)


def test_others_on_the_volume_are_told_from_what_is_ours() -> None:
    room = looked(500_000, 0)
    for look in range(1, 6):
        room.look_begins()
        room.turn(float(look), look * 100_000)
        room.look_ends(float(look), 500_000)
    assert room.share < 0.1
    room.turn(6.0, 600_000)
    assert room.held < 520_000


def test_what_no_look_has_shown_costs_a_look_and_no_chunk() -> None:
    room = Room(QUOTA, 0.95, 0.85)
    room.turn(0.0, 0)
    room.look_begins()
    room.look_ends(0.0, 900_000)
    room.turn(0.1, 40_000)
    assert not room.doubtful
    room.turn(0.2, 60_000)
    assert (room.held, room.doubtful) == (900_000, True)
    room.look_begins()
    room.look_ends(0.3, 960_000)
    assert (room.share, room.doubtful) == (1.0, False)
    room.turn(0.4, 80_000)
    assert room.held == 980_000


def test_a_volume_that_says_nothing_leaves_the_looks() -> None:
    room = looked(0, 0)
    for look in range(1, 4):
        room.turn(look - 0.01, 0)
        room.look_begins()
        room.look_ends(float(look), look * 100_000)
    assert not room.told
    assert room.growth == pytest.approx(100_000, rel=0.02)
    room.turn(3.5, 0)
    assert room.held == pytest.approx(350_000, rel=0.02)


@given(st.lists(st.tuples(st.floats(0.01, 5.0), st.integers(-200_000, 400_000)), max_size=30))
def test_there_is_an_order_whatever_happens(turns: list[tuple[float, int]]) -> None:
    room, at, volume = looked(300_000, 10**9), 0.0, 10**9
    for since, grown in turns:
        at, volume = at + since, volume + grown
        room.turn(at, volume)
        assert room.growth >= 0
        assert room.floor < room.ceiling <= room.limit <= QUOTA
        assert room.brink < QUOTA
        assert room.floor > 0.1 * QUOTA
        assert room.held >= 300_000


def queue(*used: float) -> Queue:
    chunks = Chunks()
    chunks.folders.append("/x")
    chunks.tops.append("now")
    for key, at in enumerate(used):
        chunks.add(f"{'ab' * 24}{key:016x}.bin", 100, at, 0)
    return Queue.of(chunks)


def test_what_was_used_since_the_look_stays() -> None:
    line = queue(10.0, 20.0, 30.0)
    taken = line.take(250, forced=0, since=None, used_at={1: 99.0}.get)
    assert (taken.rows, taken.forced, line.empty) == ([0, 2], 0, True)


def test_what_comes_back_goes_only_for_as_many_bytes_as_the_quota_forces() -> None:
    line = queue(10.0, 60.0, 70.0, 80.0)
    taken = line.take(400, forced=150, since=50.0, used_at=lambda key: None)
    assert (taken.rows, taken.forced) == ([0, 1], 1)
    taken = line.take(400, forced=-1, since=50.0, used_at=lambda key: None)
    assert taken.rows == []


def test_what_is_on_its_way_is_not_taken_twice() -> None:
    line = queue(10.0, 20.0, 30.0)
    taken = line.take(150, forced=0, since=None, used_at=lambda key: None, going={0})
    assert taken.rows == [1, 2]


def test_of_what_has_just_come_the_latest_goes_first_and_nothing_else_does() -> None:
    line = queue(10.0, 20.0, 30.0)
    for key in range(3, 7):
        row = line.chunks.add(f"{'ab' * 24}{key:016x}.bin", 100, 40.0, 0)
        assert row is not None
        line.push(row)
    # the fifth has been used since, the sixth is on its way
    assert line.take_newest(150, used_at={5: 99.0}.get, going={6}) == [4, 3]
    line.push(4)
    line.settle_in()
    assert line.take_newest(1000, used_at=lambda key: None) == [], "neither what a look saw nor what there was room for"
