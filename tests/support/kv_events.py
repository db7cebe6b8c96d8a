"""A subscriber of KV events, as far as tests need one: it speaks the wire, with no code of ours in between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import zmq

from tests.support.wait import wait_until


@dataclass
class Subscriber:
    """Batches as they came: (topic, sequence number, [time, events, rank])."""

    socket: zmq.Socket[Any]
    batches: list[tuple[str, int, list[Any]]] = field(default_factory=list)

    def drain(self) -> list[tuple[str, int, list[Any]]]:
        while self.socket.poll(20):
            topic, number, payload = self.socket.recv_multipart()
            self.batches.append((topic.decode(), int.from_bytes(number, "big"), msgspec.msgpack.decode(payload)))
        return self.batches

    @property
    def events(self) -> list[Any]:
        return [event for _, _, batch in self.drain() for event in batch[1]]

    def wait_for(self, found: Callable[[list[Any]], bool], message: str) -> list[Any]:
        wait_until(lambda: found(self.events), message=message)
        return self.events


@contextmanager
def subscribe(endpoint: str, topic: str = "") -> Iterator[Subscriber]:
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.SUBSCRIBE, topic.encode())
        socket.setsockopt(zmq.LINGER, 0)
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        socket.connect(endpoint)
        assert monitor.poll(60_000), f"{endpoint} does not answer"
        socket.disable_monitor()
        yield Subscriber(socket)


def replay(endpoint: str, start: int) -> list[tuple[int, Any]]:
    """(sequence number, batch) of all that the publisher still has from `start` on."""
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.RCVTIMEO, 60_000)
        socket.connect(endpoint)
        socket.send_multipart((b"", start.to_bytes(8, "big")))
        found = []
        while True:
            _empty, _topic, number, payload = socket.recv_multipart()
            if number == b"\xff" * 8:
                assert payload == b""
                return found
            found.append((int.from_bytes(number, "big"), msgspec.msgpack.decode(payload)))
