"""What a plugin is: a type with parameters, and the part that it plays in scheduling."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from apps.physics.routing.parameters import Parameter, Parameters
from apps.physics.routing.types import Candidate, Cycle, Endpoint, Load

RELEASES = ("0.5", "current")
Part = Literal[
    "filter", "scorer", "picker", "producer", "handler", "decider", "admitter", "detector", "fairness", "ordering",
    "passive",
]  # fmt: skip


@runtime_checkable
class Filter(Protocol):
    """Keeps some of the candidates."""

    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> Sequence[Candidate]: ...


@runtime_checkable
class Scorer(Protocol):
    """Gives each candidate a number, clamped to 0..1 by the scheduler."""

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> Sequence[float]: ...


@runtime_checkable
class Picker(Protocol):
    """Orders the candidates, given as their sums of weight times score: positions, the chosen one first."""

    def order(self, cycle: Cycle, totals: Sequence[float]) -> Sequence[int]: ...


@runtime_checkable
class Producer(Protocol):
    """Writes into the cycle what filters and scorers read."""

    def produce(self, cycle: Cycle) -> None: ...


@runtime_checkable
class Decider(Protocol):
    """Whether a request's prefill runs on a replica of its own, once its decode replica is chosen."""

    def disaggregate(self, cycle: Cycle, decode: Endpoint) -> bool: ...


@runtime_checkable
class Admitter(Protocol):
    """Whether a request is let in; a sentence says why not."""

    def refuse(self, cycle: Cycle) -> str | None: ...


class Learner(Protocol):
    """A plugin with a memory. The scheduler tells all of them; each method is optional."""

    def routed(self, cycle: Cycle, profile: str, chosen: Endpoint) -> None:
        """`chosen` is what `profile` gave the request."""

    def forget(self, key: str) -> None:
        """A replica is gone, or is a new process with an empty cache."""

    def loaded(self, key: str, load: Load) -> None:
        """A replica's page was read."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a plugin's maker may look up: the instances by name that were made before it, and the producer that prefix
    matches are read from where its parameters name none, and the one that tokens in flight are discounted by."""

    name: str
    made: Mapping[str, Any]
    prefix_producer: str = ""
    inflight_producer: str = ""


@dataclass(frozen=True, slots=True)
class PluginType:
    """One type of plugin. releases: the llm-d releases that have it. successor: what to write instead in the release
    that has it not. make: (parameters, wiring) -> instance; what it raises as ConfigError is told with its place."""

    type: str
    part: Part
    summary: str
    make: Callable[[Parameters, Wiring], Any]
    parameters: tuple[Parameter, ...] = ()
    releases: tuple[str, ...] = RELEASES
    instead: str = ""
    needs: tuple[str, ...] = field(default=())
    """Parameters that must be given."""


def nothing(parameters: Parameters, wiring: Wiring) -> None:
    """The maker of a plugin that decides nothing here."""
    return
