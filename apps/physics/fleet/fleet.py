"""Replicas of one pool behind one gateway, in virtual time.

The caller sends arrivals in order of time, looks at the fleet at its ticks (`observe`) and sets targets (`scale`).
Everything else happens by itself: pods are placed as far as quota allows, start, become ready, drain, sleep and wake;
requests wait at the gateway while nobody is ready, and give up after `hold`.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from numpy.random import Generator

from apps.physics.fleet.jump import JumpEngine
from apps.physics.fleet.picker import PickerRouter
from apps.physics.fleet.replica import ExactEngine, ReplicaEngine
from apps.physics.fleet.router import Router, Routing
from apps.physics.fleet.types import Arrival, Load, Seen
from apps.physics.frontend import FrontendModel
from apps.physics.steptime import StepTimeModel
from apps.physics.stores import ChunkStore
from apps.physics.tiers import OffloadConfig, Tiers
from apps.physics.types import EngineConfig

INFINITY = math.inf
NO_FRONTEND = FrontendModel()
Z90 = 1.2815515655446004


@dataclass(frozen=True, slots=True)
class StartUp:
    """Seconds from a pod's placement on its accelerators to a ready engine: log-normal through two quantiles."""

    p50: float
    p90: float

    def __post_init__(self) -> None:
        if not 0 < self.p50 <= self.p90:
            raise ValueError(f"start-up has p50 {self.p50} s and p90 {self.p90} s; it needs 0 < p50 <= p90")

    def draw(self, chance: Generator) -> float:
        """One start."""
        sigma = math.log(self.p90 / self.p50) / Z90
        return self.p50 * math.exp(sigma * chance.standard_normal()) if sigma else self.p50


@dataclass(frozen=True, slots=True)
class FleetVariant:
    """One kind of replica. accelerators: of one replica. price: of one accelerator per hour. quota: accelerators that
    the cluster has for it, None: enough. fall_asleep, wake: seconds (measured: 7 and 0.9 on an H200). offload: tiers of
    each replica, which only an exact fleet plays; store: what they share, where offload has storage."""

    name: str
    engine: EngineConfig
    step_time: StepTimeModel
    startup: StartUp
    frontend: FrontendModel = NO_FRONTEND
    accelerators: int = 1
    price: float = 1.0
    quota: int | None = None
    fall_asleep: float = 7.0
    wake: float = 0.9
    offload: OffloadConfig | None = None
    store: ChunkStore | None = None


@dataclass(frozen=True, slots=True)
class Faults:
    """What goes wrong. Times are (from, until) in seconds.

    unschedulable: pods made in that time find no node until it is over. gap: metrics cannot be read. frozen: they can,
    but stand still. slow: factor on the step times of the n-th replica made. kills: at a time, the oldest ready replica
    dies and is replaced. quota: (from, until, accelerators) of all variants together.
    """

    unschedulable: tuple[float, float] | None = None
    gap: tuple[float, float] | None = None
    frozen: tuple[float, float] | None = None
    slow: Mapping[int, float] = field(default_factory=dict)
    kills: tuple[float, ...] = ()
    quota: tuple[float, float, int] | None = None


class Phase(StrEnum):
    """Where a replica is in its life. All but PENDING and GONE hold their accelerators."""

    PENDING = "pending"
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    FALLING_ASLEEP = "falling-asleep"
    ASLEEP = "asleep"
    WAKING = "waking"
    GONE = "gone"


COMING = (Phase.PENDING, Phase.STARTING, Phase.WAKING)


class Replica:
    """One pod. since: when it was made. placed: when it got its accelerators. ready_at: when it became ready."""

    __slots__ = ("asleep_since", "engine", "number", "phase", "placed", "ready_at", "since", "sleep_next", "variant")

    def __init__(self, number: int, variant: FleetVariant, engine: ReplicaEngine, since: float) -> None:
        self.number = number
        self.variant = variant
        self.engine = engine
        self.phase = Phase.PENDING
        self.since = since
        self.placed = self.ready_at = self.asleep_since = -1.0
        self.sleep_next = False

    @property
    def waiting(self) -> int:
        return self.engine.waiting

    @property
    def in_flight(self) -> int:
        return self.engine.in_flight

    @property
    def kv_usage(self) -> float:
        return self.engine.kv_usage


@dataclass(frozen=True, slots=True)
class ReplicaView:
    """A replica at a tick. load: what it did since the tick before; age: seconds since it was made."""

    number: int
    variant: str
    phase: Phase
    age: float
    stuck: str
    running: int
    waiting: int
    waiting_tokens: int
    kv_usage: float
    load: Load
    ended: Sequence[Seen]


@dataclass(frozen=True, slots=True)
class Observation:
    """The fleet at a tick. `readable`: the metrics can be read. held: requests waiting at the gateway; given_up: those
    that gave up since the tick before. startups: (variant, seconds) of the starts that ended in it."""

    now: float
    seconds: float
    readable: bool
    arrived: Sequence[Arrival]
    replicas: Sequence[ReplicaView]
    desired: Mapping[str, int]
    held: int
    held_tokens: int
    oldest: float
    given_up: int
    startups: Sequence[tuple[str, float]]

    def count(self, *phases: Phase, variant: str | None = None) -> int:
        """Replicas in any of these phases."""
        return sum(1 for each in self.replicas if each.phase in phases and variant in (None, each.variant))


class Fleet:
    """See the module. `exact`: prefixes are shared, every step is played. `initial`, `asleep`: replicas that serve, and
    that sleep, at the beginning."""

    def __init__(
        self,
        variants: Iterable[FleetVariant],
        *,
        initial: Mapping[str, int],
        chance: Generator,
        routing: Routing | PickerRouter = "least-loaded",
        exact: bool = False,
        hold: float = 300.0,
        faults: Faults | None = None,
        asleep: Mapping[str, int] | None = None,
    ) -> None:
        self.variants = {variant.name: variant for variant in variants}
        self.now = 0.0
        self.seen: list[Seen] = []
        self.replicas: list[Replica] = []
        self.desired = {name: initial.get(name, 0) for name in self.variants}
        self.asleep = dict.fromkeys(self.variants, 0)
        self.accelerator_seconds = dict.fromkeys(self.variants, 0.0)
        self.standby_seconds = dict.fromkeys(self.variants, 0.0)
        self._chance = chance
        self._router = routing if isinstance(routing, PickerRouter) else Router(routing)
        self._exact = exact
        self._hold = hold
        self._faults = faults or Faults()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._made = 0
        self._ready: list[Replica] = []
        self._held: deque[Seen] = deque()
        self._arrived: list[Arrival] = []
        self._given_up = 0
        self._startups: list[tuple[str, float]] = []
        self._observed = 0.0
        self._charged_until = INFINITY
        for name, count in self.desired.items():
            for _ in range(count):
                replica = self._make(self.variants[name])
                replica.placed = replica.ready_at = 0.0
                self._to_ready(replica)
        for name, count in (asleep or {}).items():
            self.asleep[name] = count
            for _ in range(count):
                sleeper = self._make(self.variants[name])
                sleeper.placed = sleeper.asleep_since = 0.0
                sleeper.phase = Phase.ASLEEP
        for at in self._faults.kills:
            self._at(at, self._kill_oldest)
        for edge in (self._faults.unschedulable, self._faults.quota):
            if edge:
                self._at(edge[1], self._place)

    # --- what the caller does -------------------------------------------------------------------------------------

    def send(self, arrival: Arrival) -> None:
        """A client's request comes to the gateway at `arrival.time`, not before `now`."""
        self.advance(arrival.time)
        seen = Seen(arrival, sent=arrival.time)
        self.seen.append(seen)
        self._arrived.append(arrival)
        if self._ready:
            self._route(seen)
        else:
            self._held.append(seen)
            self._at(arrival.time + self._hold, self._give_up)

    def advance(self, until: float) -> None:
        """Let everything happen that is due by `until`."""
        events = self._events
        while events and events[0][0] <= until:
            at, _order, action = heapq.heappop(events)
            self.now = max(self.now, at)
            action()
        if until < INFINITY:
            self.now = max(self.now, until)

    def scale(self, variant: str, replicas: int, asleep: int = 0) -> None:
        """Set a variant's target: so many replicas awake or on their way there, and so many in warm standby beside
        them. Missing ones are woken, then made; of the surplus those that are not ready go first (the youngest first),
        then those with the fewest requests, which drain."""
        self.desired[variant], self.asleep[variant] = replicas, asleep
        mine = [each for each in self.replicas if each.variant.name == variant]
        coming = [each for each in mine if each.phase in COMING]
        ready = [each for each in mine if each.phase is Phase.READY]
        sleeping = [each for each in mine if each.phase in (Phase.ASLEEP, Phase.FALLING_ASLEEP)]
        sleeping += [each for each in mine if each.phase is Phase.DRAINING and each.sleep_next]
        missing = replicas - len(coming) - len(ready)
        for each in [one for one in sleeping if one.phase is Phase.ASLEEP][: max(0, missing)]:
            self._wake(each)
            sleeping.remove(each)
            missing -= 1
        for _ in range(missing):
            self._make(self.variants[variant])
        surplus = -missing
        for each in sorted(coming, key=lambda one: one.since, reverse=True)[: max(0, surplus)]:
            self._remove(each)
            surplus -= 1
        for each in sorted(ready, key=self._victim_order)[: max(0, surplus)]:
            each.sleep_next = len(sleeping) < asleep
            if each.sleep_next:
                sleeping.append(each)
            self._drain(each)
        for each in [one for one in sleeping if one.phase is Phase.ASLEEP][: max(0, len(sleeping) - asleep)]:
            self._remove(each)
        self._place()

    def observe(self) -> Observation:
        """What there is to see now, since it was last asked."""
        faults = self._faults
        views = []
        self.settle()
        for each in [one for one in self.replicas if one.phase is not Phase.GONE]:
            engine = each.engine
            views.append(
                ReplicaView(
                    each.number,
                    each.variant.name,
                    each.phase,
                    self.now - each.since,
                    self._stuck(each) if each.phase is Phase.PENDING else "",
                    engine.running,
                    engine.waiting,
                    engine.waiting_tokens,
                    engine.kv_usage,
                    engine.load,
                    engine.ended,
                )
            )
            engine.load, engine.ended = Load(), []
        self.replicas = [each for each in self.replicas if each.phase is not Phase.GONE]
        held = self._held
        observation = Observation(
            now=self.now,
            seconds=self.now - self._observed,
            readable=not _within(faults.gap, self.now),
            arrived=self._arrived,
            replicas=views,
            desired=dict(self.desired),
            held=len(held),
            held_tokens=sum(seen.arrival.prompt_tokens for seen in held),
            oldest=self.now - held[0].arrival.time if held else 0.0,
            given_up=self._given_up,
            startups=self._startups,
        )
        self._arrived, self._startups, self._given_up, self._observed = [], [], 0, self.now
        return observation

    def settle(self) -> None:
        """Let every engine catch up with now, so that a drained replica goes or falls asleep between two ticks too."""
        for each in self.replicas:
            self._settle(each)

    def stop_charging(self, at: float) -> None:
        """Accelerators cost nothing from `at` on: the end of what is compared."""
        self._charged_until = at

    def close(self) -> None:
        """Play all that is in flight to its end, and close the bill."""
        for each in list(self.replicas):
            each.engine.advance(INFINITY)
            if each.phase is not Phase.GONE:
                self._remove(each)
        for seen in self._held:
            seen.failed = "no replica became ready"
        self._held.clear()

    @property
    def held(self) -> int:
        """Requests that wait at the gateway."""
        return len(self._held)

    @property
    def busy(self) -> bool:
        """Requests are in flight or held."""
        return bool(self._held) or any(each.engine.in_flight for each in self.replicas)

    # --- life of a replica ----------------------------------------------------------------------------------------

    def _make(self, variant: FleetVariant) -> Replica:
        slow = self._faults.slow.get(self._made, 1.0)
        times = (variant.engine, variant.step_time, variant.frontend, slow)
        engine: ReplicaEngine
        if self._exact:
            below = Tiers(variant.offload, variant.store) if variant.offload is not None else None
            engine = ExactEngine(*times, below)
        else:
            engine = JumpEngine(*times)
        replica = Replica(self._made, variant, engine, self.now)
        self._made += 1
        self.replicas.append(replica)
        return replica

    def _place(self) -> None:
        """Give accelerators to pending pods, oldest first."""
        for each in self.replicas:
            if each.phase is Phase.PENDING and not self._stuck(each):
                each.phase, each.placed = Phase.STARTING, self.now
                self._at(self.now + each.variant.startup.draw(self._chance), lambda one=each: self._started(one))  # type: ignore[misc]

    def _stuck(self, replica: Replica) -> str:
        faults, variant = self._faults, replica.variant
        if (
            _within(faults.unschedulable, self.now)
            and faults.unschedulable
            and replica.since >= faults.unschedulable[0]
        ):
            return "no node fits"
        holding = [each for each in self.replicas if each.phase not in (Phase.PENDING, Phase.GONE)]
        mine = sum(each.variant.accelerators for each in holding if each.variant is variant)
        if variant.quota is not None and mine + variant.accelerators > variant.quota:
            return "quota of accelerators reached"
        if faults.quota and _within(faults.quota[:2], self.now):
            held = sum(each.variant.accelerators for each in holding)
            if held + variant.accelerators > faults.quota[2]:
                return "quota of accelerators reached"
        return ""

    def _started(self, replica: Replica) -> None:
        if replica.phase is not Phase.STARTING:
            return
        self._startups.append((replica.variant.name, self.now - replica.since))
        self._to_ready(replica)

    def _to_ready(self, replica: Replica) -> None:
        replica.phase, replica.ready_at = Phase.READY, self.now
        self._ready.append(replica)
        while self._held and self._ready:
            seen = self._held.popleft()
            seen.sent = self.now
            self._route(seen)

    def _drain(self, replica: Replica) -> None:
        self._ready.remove(replica)
        self._router.forget(replica.number)
        replica.phase = Phase.DRAINING
        self._settle(replica)

    def _settle(self, replica: Replica) -> None:
        """Let the engine catch up with now; a draining replica with nothing left to do goes."""
        if replica.phase in (Phase.READY, Phase.DRAINING):
            replica.engine.advance(self.now)
        if replica.phase is Phase.DRAINING and not replica.engine.in_flight:
            if replica.sleep_next:
                replica.phase, replica.sleep_next = Phase.FALLING_ASLEEP, False
                self._at(self.now + replica.variant.fall_asleep, lambda: self._fallen_asleep(replica))
                return
            ended = replica.engine.ended
            self._charge(replica, min(self.now, ended[-1].last) if ended else self.now)
            replica.phase = Phase.GONE
            self._place()

    def _fallen_asleep(self, replica: Replica) -> None:
        if replica.phase is Phase.FALLING_ASLEEP:
            replica.phase, replica.asleep_since = Phase.ASLEEP, self.now

    def _wake(self, replica: Replica) -> None:
        self._charge_standby(replica)
        replica.phase = Phase.WAKING
        self._at(self.now + replica.variant.wake, lambda: self._woken(replica))

    def _woken(self, replica: Replica) -> None:
        if replica.phase is Phase.WAKING:
            self._to_ready(replica)

    def _remove(self, replica: Replica) -> None:
        if replica.phase is Phase.ASLEEP:
            self._charge_standby(replica)
        if replica.phase is not Phase.PENDING:
            self._charge(replica, self.now)
        replica.phase = Phase.GONE

    def _charge(self, replica: Replica, until: float) -> None:
        if replica.placed < 0:
            return
        held = max(0.0, min(until, self._charged_until) - min(replica.placed, self._charged_until))
        self.accelerator_seconds[replica.variant.name] += held * replica.variant.accelerators

    def _charge_standby(self, replica: Replica) -> None:
        slept = min(self.now, self._charged_until) - min(replica.asleep_since, self._charged_until)
        self.standby_seconds[replica.variant.name] += slept * replica.variant.accelerators

    def _victim_order(self, replica: Replica) -> tuple[int, int, float]:
        return self._router.cached_blocks(replica.number), replica.in_flight, -replica.ready_at

    def _kill_oldest(self) -> None:
        if not self._ready:
            return
        victim = self._ready.pop(0)
        victim.engine.advance(self.now)
        for seen in victim.engine.kill():
            seen.failed = "its replica died"
        self._router.forget(victim.number)
        self._charge(victim, self.now)
        victim.phase = Phase.GONE
        self._make(victim.variant)
        self._place()

    # --- requests -------------------------------------------------------------------------------------------------

    def _route(self, seen: Seen) -> None:
        if self._router.routing != "round-robin":
            for each in self._ready:
                each.engine.advance(self.now)
        chosen: Any = self._router.choose(seen.arrival, self._ready, self.now)
        seen.replica = chosen.number
        chosen.engine.send(seen)
        self._router.sent(seen, chosen)

    def _give_up(self) -> None:
        while self._held and self._held[0].arrival.time + self._hold <= self.now:
            self._held.popleft().failed = "gave up waiting for a replica"
            self._given_up += 1

    def _at(self, time: float, action: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (time, self._order, action))


def _within(span: tuple[float, float] | None, now: float) -> bool:
    return span is not None and span[0] <= now < span[1]
