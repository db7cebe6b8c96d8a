"""What a peer sees and answers: one variant of one pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.physics.fleet.fleet import Observation, Phase, ReplicaView
from apps.physics.fleet.types import Seen


@dataclass(frozen=True)
class View:
    """One look. replicas: not draining, ready or not; per ready replica: kv (0..1), waiting, running. held: requests at
    the endpoint picker. arrived, first, ended: in the `seconds` since the last look. readable: metrics were there."""

    now: float
    seconds: float
    replicas: int
    ready: Sequence[ReplicaView]
    held: int
    held_tokens: int
    arrived: Sequence[tuple[int, int]]
    first: Sequence[Seen]
    ended: Sequence[Seen]
    readable: bool

    @property
    def kv(self) -> list[float]:
        return [each.kv_usage for each in self.ready]

    @property
    def waiting(self) -> list[int]:
        return [each.waiting for each in self.ready]

    @property
    def running(self) -> list[int]:
        return [each.running for each in self.ready]

    @property
    def in_flight(self) -> int:
        """Waiting, running and held requests of the pool."""
        return sum(self.waiting) + sum(self.running) + self.held


class Peer:
    """`decide` is called every `tick` seconds and answers the replicas wanted; bounds are applied here."""

    tick = 15.0

    def __init__(self, least: int, most: int) -> None:
        self.least, self.most = least, most

    def decide(self, view: View) -> int:
        raise NotImplementedError

    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]]:
        (variant,) = seen.desired
        ready = [each for each in seen.replicas if each.phase is Phase.READY]
        view = View(
            now=seen.now,
            seconds=seen.seconds,
            replicas=seen.desired[variant],
            ready=ready,
            held=seen.held,
            held_tokens=seen.held_tokens,
            arrived=[(each.prompt_tokens, each.output_tokens) for each in seen.arrived],
            first=[one for each in seen.replicas for one in each.load.first_tokens],
            ended=[one for each in seen.replicas for one in each.ended],
            readable=seen.readable,
        )
        return {variant: (min(self.most, max(self.least, self.decide(view))), 0)}


class Window:
    """The highest or lowest of what was said in the last `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._said: list[tuple[float, int]] = []

    def say(self, now: float, value: int) -> None:
        self._said = [each for each in self._said if each[0] > now - self.seconds]
        self._said.append((now, value))

    def highest(self) -> int:
        return max(value for _at, value in self._said)

    def lowest(self) -> int:
        return min(value for _at, value in self._said)
