"""The collector against real publishers over ZeroMQ, in vLLM's wire format."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
import zmq

from apps.embedded.engine import kv_events
from apps.embedded.engine.domain.kv_events import EventsConfig
from apps.offload.collector import Collector
from apps.offload.domain.reuse import COUNTERS
from apps.offload.engines import Endpoint, Publishers, endpoints_of
from tests.support.ports import free_port
from tests.support.wait import wait_until

SIZE = 16


class Engine:
    """A publisher in a thread of its own, as an engine runs it."""

    def __init__(self, *, replay: bool = True, encoding: kv_events.Encoding = "map") -> None:
        self.port, self.replay_port = free_port(), free_port()
        self.encoding, self.replay = encoding, replay
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    def _do(self, work: Callable[[], Any]) -> Any:
        async def inside() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result(10)

    def start(self) -> None:
        config = EventsConfig(
            endpoint=f"tcp://*:{self.port}",
            replay_endpoint=f"tcp://*:{self.replay_port}" if self.replay else None,
            topic="kv@a@m",
            buffer_steps=1000,
        )
        make = lambda: kv_events.Publisher(config, host="127.0.0.1", encoding=self.encoding)  # noqa: E731
        self._publisher: kv_events.Publisher = self._do(make)

    def stop(self) -> None:
        if self._publisher._replaying is not None:
            self._do(lambda: self._publisher._replaying.close(0))  # type: ignore[union-attr]
        asyncio.run_coroutine_threadsafe(self._publisher.close(), self._loop).result(10)

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def store(self, *blocks: int, parent: int | None = None) -> None:
        event = kv_events.stored(
            list(blocks), parent=parent, tokens=[1] * SIZE * len(blocks), block_size=SIZE, medium="GPU", lora=None,
            extra_keys=[None] * len(blocks),
        )  # fmt: skip
        self._do(lambda: self._publisher.publish(time.time(), [event]))

    def remove(self, *blocks: int) -> None:
        events = [kv_events.removed([block], "GPU") for block in blocks]
        self._do(lambda: self._publisher.publish(time.time(), events))

    def skip(self) -> None:
        """A batch that no subscriber gets: only its number is used up."""
        self._do(lambda: setattr(self._publisher, "_sequence", self._publisher._sequence + 1))


class World:
    """A collector over some engines; `rows`: what it wrote last, by pool."""

    def __init__(self) -> None:
        self.pool = uuid4()
        self.rows: dict[UUID, dict[str, Any]] = {}
        self.endpoints: list[Endpoint] = []
        self.stored: dict[str, Any] | None = None

    def find(self) -> Sequence[Publishers]:
        return [Publishers(self.pool, tuple(self.endpoints))]

    def store(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows.update({row["pool"]: row for row in rows})

    def load(self, pool: UUID) -> dict[str, Any] | None:
        return self.stored

    @contextmanager
    def collecting(self) -> Iterator[None]:
        stop = threading.Event()
        collector = Collector(self.find, self.store, self.load, tick=0.1, look=0.05)
        thread = threading.Thread(target=collector.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive()

    def add(self, engine: Engine, name: str = "uid-a/0") -> None:
        replay = f"tcp://127.0.0.1:{engine.replay_port}" if engine.replay else ""
        self.endpoints.append(Endpoint(name, "a", f"tcp://127.0.0.1:{engine.port}", replay))

    def counter(self, name: str) -> int:
        row = self.rows.get(self.pool)
        return int(row["counters"][name]) if row else 0

    def again(self, scope: str = "pool") -> float:
        """Tokens that were stored again."""
        row = self.rows.get(self.pool)
        return sum(entry[2] for entry in row["sketches"][scope][""]["again"]) if row else 0.0

    def sequence(self, name: str = "uid-a/0") -> int | None:
        row = self.rows.get(self.pool)
        return row["engines"].get(name, {}).get("sequence") if row else None


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def engines() -> Iterator[Callable[..., Engine]]:
    made: list[Engine] = []

    def make(**options: Any) -> Engine:
        made.append(Engine(**options))
        return made[-1]

    yield make
    for engine in made:
        engine.close()


@pytest.mark.parametrize("encoding", ["map", "array"])
def test_what_was_published_before_and_after_the_collector_came_is_known(
    world: World, engines: Callable[..., Engine], encoding: kv_events.Encoding
) -> None:
    engine = engines(encoding=encoding)
    engine.store(1, 2, 3)
    engine.remove(3, 2)
    world.add(engine)
    with world.collecting():
        wait_until(lambda: world.sequence() == 1, message="the replay came")
        engine.store(2, 3, parent=1)
        wait_until(lambda: world.again() > 0, message="blocks that were stored again are seen")
    assert world.again() == pytest.approx(2 * SIZE, rel=0.01)
    assert (world.counter("dropped"), world.counter("malformed")) == (0, 0)


def test_a_gap_is_filled_where_the_engine_repeats_and_counted_where_it_does_not(
    world: World, engines: Callable[..., Engine]
) -> None:
    deaf, other = engines(replay=False), engines()
    world.add(deaf, "uid-deaf/0")
    world.add(other, "uid-other/0")
    with world.collecting():

        def heard() -> bool:
            for number, engine in enumerate((deaf, other)):
                engine.store(1000 + number)
            return world.sequence("uid-deaf/0") is not None and world.sequence("uid-other/0") is not None

        wait_until(heard, message="both engines are heard")
        for engine in (deaf, other):
            engine.skip()
            engine.store(7)
        wait_until(lambda: world.counter("gaps") == 2, message="both gaps are seen")
        # the skipped number is in nobody's buffer: after the replay it is known to be lost
        wait_until(lambda: world.counter("dropped") == 2, message="what is lost is counted")


def test_an_engine_that_restarts_empties_its_own_cache_and_not_the_pools(
    world: World, engines: Callable[..., Engine]
) -> None:
    engine = engines()
    engine.store(1, 2, 3)
    for number in range(300):
        engine.store(1000 + number)
    world.add(engine)
    with world.collecting():
        wait_until(lambda: world.sequence() == 300, message="the replay came")
        engine.stop()
        engine.start()
        engine.store(1, 2, 3)

        def seen() -> bool:
            # what is published before the subscription is up again comes with a replay
            engine.remove(900)
            return world.counter("restarts") == 1

        wait_until(seen, message="the restart is seen")
        wait_until(lambda: world.again("pool") > 0, message="the pool's cache would have had the blocks")
    assert world.again("replica") == 0
    assert world.counter("dropped") == 0


def test_a_collector_that_restarts_counts_nothing_twice(world: World, engines: Callable[..., Engine]) -> None:
    engine = engines()
    for _ in range(3):
        engine.store(1, 2)
        engine.remove(2, 1)
    world.add(engine)
    with world.collecting():
        wait_until(lambda: world.sequence() == 5, message="all is known")
    before = world.again()
    assert before == pytest.approx(4 * SIZE, rel=0.01)
    row = world.rows[world.pool]
    counters = {name: value for name, value in row["counters"].items() if name in COUNTERS}
    assert counters["events"] == 9
    world.stored = {
        "window": row["window"], "sketches": row["sketches"], "sequences": {"uid-a/0": 5},
        "counters": {**counters, "dropped": 2},
    }  # fmt: skip
    world.rows.clear()
    with world.collecting():
        wait_until(lambda: world.sequence() == 5, message="the replay came")
        assert world.again() == pytest.approx(before, rel=0.01)
        engine.store(1, 2)
        wait_until(lambda: world.again() > before, message="what the device let go of before is known")
    assert world.again() == pytest.approx(6 * SIZE, rel=0.01)
    assert (world.counter("events"), world.counter("dropped")) == (10, 2), "and what was counted before still is"


def test_frames_that_nobody_can_read_are_counted_and_harm_nothing(world: World, engines: Callable[..., Engine]) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    socket = context.socket(zmq.PUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    world.endpoints.append(Endpoint("uid-a/0", "a", f"tcp://127.0.0.1:{port}", ""))
    engine = engines()
    world.add(engine, "uid-b/0")
    try:
        with world.collecting():

            def reached() -> bool:
                socket.send_multipart((b"kv", b"short", b"\xc1"))
                socket.send_multipart((b"kv", (0).to_bytes(8, "big"), b"\xc1"))
                return world.counter("malformed") >= 2

            wait_until(reached, message="bad frames are counted")
            engine.store(5)
            wait_until(lambda: world.sequence("uid-b/0") == 0, message="the other engine is heard")
    finally:
        context.destroy(0)


def test_endpoints_are_read_from_what_a_pod_was_rendered_with() -> None:
    pod = {
        "metadata": {"uid": "u", "name": "chat-h200-1"},
        "spec": {
            "containers": [
                {
                    "command": ["vllm", "serve"],
                    "args": [
                        "m",
                        "--data-parallel-size=2",
                        '--kv-events-config={"enable_kv_cache_events":true,"endpoint":"tcp://*:6000",'
                        '"replay_endpoint":"tcp://*:6100"}',
                    ],
                }
            ]
        },
        "status": {"podIP": "10.0.0.7"},
    }
    assert [(e.name, e.address, e.replay) for e in endpoints_of(pod)] == [
        ("u/0", "tcp://10.0.0.7:6000", "tcp://10.0.0.7:6100"),
        ("u/1", "tcp://10.0.0.7:6001", "tcp://10.0.0.7:6101"),
    ]
    quiet = {**pod, "spec": {"containers": [{"args": ["m"]}]}}
    assert endpoints_of(quiet) == []


def test_a_collector_of_no_engines_waits_instead_of_turning() -> None:
    turns = 0

    class Counted(Collector):
        def _take_findings(self) -> None:
            nonlocal turns
            turns += 1
            super()._take_findings()

    looks = 0
    stop = threading.Event()

    def find() -> Sequence[Publishers]:
        nonlocal looks
        looks += 1
        if looks == 20:
            stop.set()
        return []

    Counted(find, lambda _: None, lambda _: None, tick=10, look=0.05).run(stop)
    assert turns <= looks + 1
