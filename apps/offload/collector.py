"""The collector: subscribes to the KV events of all engines, and keeps what they tell of reuse.

One process, one thread for the events. For each engine: a subscription, a feed that puts batches in order (what is
missed is asked for again), and a sample of its blocks: at most 16,384, about 5 MB. What was learned is written to
Postgres every ten seconds; a collector that starts anew goes on from there, and learns what devices hold from replays.
"""

from __future__ import annotations

import gc
import logging
import queue
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import zmq
from django.db import Error, close_old_connections

from apps.offload import services
from apps.offload.domain.feed import Delivery, Feed
from apps.offload.domain.reuse import ALL, Counters
from apps.offload.domain.sketch import Sketch
from apps.offload.engines import Endpoint, Publishers, find_publishers
from apps.offload.feeding import PoolFeed

__all__ = ["Collector", "main"]

log = logging.getLogger(__name__)

TICK_SECONDS = 10.0
LOOK_SECONDS = 5.0
_FRAMES_AT_ONCE = 500
_HIGH_WATER = 100_000
_ONE_HIT_AFTER = 600.0
_END = b"\xff" * 8


@dataclass
class _Link:
    """One engine's sockets and feed."""

    endpoint: Endpoint
    feed: Feed
    events: zmq.Socket[bytes]
    replay: zmq.Socket[bytes] | None
    heard_at: float | None = None
    problem: str = ""


class Collector:
    """All engines of all pools. `find` tells who publishes, `store` takes what was learned; both may be slow."""

    def __init__(
        self,
        find: Callable[[], Sequence[Publishers]] = find_publishers,
        store: Callable[[Sequence[dict[str, Any]]], None] = services.store_reuse,
        load: Callable[[UUID], dict[str, Any] | None] = services.load_reuse,
        *,
        tick: float = TICK_SECONDS,
        look: float = LOOK_SECONDS,
    ) -> None:
        self._find, self._store, self._load = find, store, load
        self._tick, self._look = tick, look
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._poller = zmq.Poller()
        self._links: dict[str, _Link] = {}
        self._by_socket: dict[zmq.Socket[bytes], tuple[_Link, PoolFeed]] = {}
        self._decode = msgspec.msgpack.Decoder().decode
        self.pools: dict[UUID, PoolFeed] = {}
        self._found: queue.Queue[Sequence[Publishers]] = queue.Queue(maxsize=1)
        self._writes: queue.Queue[list[dict[str, Any]] | None] = queue.Queue(maxsize=2)

    def run(self, stop: threading.Event) -> None:
        """Collect until `stop`."""
        gc.freeze()
        threads = [
            threading.Thread(target=self._keep_looking, args=(stop,), name="look", daemon=True),
            threading.Thread(target=self._keep_writing, name="write", daemon=True),
        ]
        for thread in threads:
            thread.start()
        next_tick = time.monotonic() + self._tick
        try:
            while not stop.is_set():
                if self._by_socket:
                    self._receive(0.2)
                else:
                    # a poller of no sockets returns at once
                    stop.wait(0.2)
                self._take_findings()
                if time.monotonic() >= next_tick:
                    next_tick = time.monotonic() + self._tick
                    self._snapshot()
        finally:
            self._snapshot()
            self._writes.put(None)
            threads[1].join(10.0)
            self._context.destroy(linger=0)

    # --- frames ---------------------------------------------------------------------------------------------------

    def _receive(self, seconds: float) -> None:
        now = time.time()
        for socket, _ in self._poller.poll(int(seconds * 1000)):
            known = self._by_socket.get(socket)
            if known is not None:
                link, pool = known
                self._drain(link, pool, socket, now)
        for link, pool in list(self._by_socket.values()):
            start = link.feed.replay_from
            if start is not None and link.replay is not None:
                link.feed.asked(now)
                self._send_request(link, start)
            elif link.feed.overdue(now):
                self._deliver(link, pool, link.feed.finished(), now)

    def _drain(self, link: _Link, pool: PoolFeed, socket: zmq.Socket[bytes], now: float) -> None:
        for _ in range(_FRAMES_AT_ONCE):
            try:
                frames = socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            if socket is link.events:
                if len(frames) == 3 and len(frames[1]) == 8:
                    link.heard_at = now
                    self._deliver(link, pool, link.feed.live(int.from_bytes(frames[1], "big"), frames[2]), now)
                else:
                    pool.malformed += 1
            elif len(frames) >= 3 and frames[-2] == _END:
                self._deliver(link, pool, link.feed.finished(), now)
            elif len(frames) >= 3 and len(frames[-2]) == 8:
                link.feed.replayed(int.from_bytes(frames[-2], "big"), frames[-1])

    def _deliver(self, link: _Link, pool: PoolFeed, deliveries: Sequence[Delivery], now: float) -> None:
        for delivery in deliveries:
            pool.take(link.endpoint.name, delivery, now, self._decode)

    def _send_request(self, link: _Link, start: int) -> None:
        assert link.replay is not None
        try:
            link.replay.send_multipart((b"", start.to_bytes(8, "big")), zmq.NOBLOCK)
        except zmq.ZMQError as error:
            link.problem = f"its replay cannot be asked: {error}"

    # --- engines that come and go ----------------------------------------------------------------------------------

    def _keep_looking(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                found = self._find()
            except Error as error:
                log.warning("the database is away: %s", error)
            except Exception:
                log.exception("looking for engines")
            else:
                self._found.put(found)
            close_old_connections()
            stop.wait(self._look)

    def _take_findings(self) -> None:
        try:
            found = self._found.get_nowait()
        except queue.Empty:
            return
        named = {p.pool for p in found}
        for publishers in found:
            pool = self.pools.get(publishers.pool) or self._begin(publishers.pool)
            pool.publishers = publishers
            if publishers.problem:
                # nobody could be asked: who was there is still there
                continue
            wanted = {endpoint.name: endpoint for endpoint in publishers.endpoints}
            for name, link in list(self._links.items()):
                if self._by_socket[link.events][1] is pool and wanted.get(name) != link.endpoint:
                    self._close(name, pool)
            for name, endpoint in wanted.items():
                if name not in self._links:
                    self._open(endpoint, pool)
        for uid in [uid for uid in self.pools if uid not in named]:
            gone = self.pools.pop(uid)
            for name, link in list(self._links.items()):
                if self._by_socket[link.events][1] is gone:
                    self._close(name, gone)

    def _begin(self, uid: UUID) -> PoolFeed:
        pool = self.pools[uid] = PoolFeed(uid)
        try:
            stored = self._load(uid)
        except Error as error:
            log.warning("what was learned of pool %s cannot be read: %s", uid, error)
            return pool
        if stored is not None:
            pool.window = stored["window"]
            pool.sequences = dict(stored["sequences"])
            pool.reuse.counters = Counters(**stored["counters"])
            pool.reuse.room = pool.reuse.replica[ALL].held
            for scope, sketches in (("replica", pool.reuse.replica), ("pool", pool.reuse.pool)):
                for name, sketch in stored["sketches"].get(scope, {}).items():
                    sketches[name] = Sketch.from_json(sketch)
        return pool

    def _open(self, endpoint: Endpoint, pool: PoolFeed) -> None:
        events = self._context.socket(zmq.SUB)
        events.setsockopt(zmq.RCVHWM, _HIGH_WATER)
        events.setsockopt(zmq.SUBSCRIBE, b"")
        replay = self._context.socket(zmq.DEALER) if endpoint.replay else None
        feed = Feed(replays=replay is not None, counted=pool.sequences.get(endpoint.name))
        link = _Link(endpoint, feed, events, replay)
        for socket, address in ((events, endpoint.address), (replay, endpoint.replay)):
            if socket is not None:
                socket.setsockopt(zmq.RECONNECT_IVL_MAX, 5000)
                socket.connect(address)
                self._poller.register(socket, zmq.POLLIN)
                self._by_socket[socket] = (link, pool)
        self._links[endpoint.name] = link

    def _close(self, name: str, pool: PoolFeed) -> None:
        link = self._links.pop(name)
        for socket in (link.events, link.replay):
            if socket is not None:
                self._poller.unregister(socket)
                del self._by_socket[socket]
                socket.close(0)
        pool.reuse.counters.dropped += link.feed.dropped
        pool.reuse.counters.gaps += link.feed.gaps
        pool.sequences.pop(name, None)
        pool.reuse.left(name)

    # --- what is kept ----------------------------------------------------------------------------------------------

    def _snapshot(self) -> None:
        now = time.time()
        rows = []
        for pool in self.pools.values():
            pool.settle(now)
            links = {name: link for name, link in self._links.items() if self._by_socket[link.events][1] is pool}
            rows.append(self._row(pool, links, now))
        try:
            self._writes.put_nowait(rows)
        except queue.Full:
            log.warning("what was learned is not written: the database is slow")

    def _row(self, pool: PoolFeed, links: dict[str, _Link], now: float) -> dict[str, Any]:
        reuse = pool.reuse
        counters = asdict(reuse.counters)
        counters["dropped"] += sum(link.feed.dropped for link in links.values())
        counters["gaps"] += sum(link.feed.gaps for link in links.values())
        counters["malformed"] += pool.malformed
        engines = {
            name: {
                "pod": link.endpoint.pod,
                "sequence": pool.sequences.get(name),
                "blocks": reuse.engines[name].stored if name in reuse.engines else 0,
                "tiers": dict(reuse.engines[name].tiers) if name in reuse.engines else {},
                "heard_at": link.heard_at,
                "problem": link.problem,
            }
            for name, link in links.items()
        }
        publishers = pool.publishers
        return {
            "pool": pool.pool,
            "at": datetime.fromtimestamp(now, UTC),
            "window": pool.window,
            "sketches": {
                "replica": {name: sketch.to_json() for name, sketch in reuse.replica.items()},
                "pool": {name: sketch.to_json() for name, sketch in reuse.pool.items()},
            },
            "engines": engines,
            "counters": {
                **counters,
                "silent": list(publishers.silent) if publishers else [],
                "problem": publishers.problem if publishers else "",
            },
            "rate": reuse.rate,
            "samples": len(reuse.shared),
            "one_hit": reuse.one_hit_share(now, _ONE_HIT_AFTER),
        }

    def _keep_writing(self) -> None:
        while (rows := self._writes.get()) is not None:
            try:
                self._store(rows)
            except Error as error:
                log.warning("the database is away: %s", error)
            except Exception:
                log.exception("writing what was learned")
            close_old_connections()


def main() -> None:
    """Until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    Collector().run(stop)
