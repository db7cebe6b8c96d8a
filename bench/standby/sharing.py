"""Four pools with shifted copies of the Azure code trace: shared standby against one always-on replica each.

Every pool has a sleeper on its group's accelerators. The production `decide()` says how many replicas a pool is to
have, the production rule of turns (apps/pools/domain/turns) who is awake on an accelerator; both as often as in
production: a pool that serves keeps the turn as long as its target says so, one that does not wants it when requests
wait for it, which is seen once a second. A group's accelerators are counted from beginning to end, whoever is awake, or
nobody. That no two engines are ever awake on one accelerator is asserted at every look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from apps.autoscaling.domain.types import Objective, Policy
from apps.autoscaling.domain.whatif import Driver, variant_policy
from apps.physics.fleet.fleet import Fleet, FleetVariant, Observation, Phase, Replica
from apps.physics.fleet.run import Limits
from apps.physics.fleet.types import Arrival
from apps.pools.domain.facts import latency_grid
from apps.pools.domain.places import Need, asked, room_to_spare
from apps.pools.domain.turns import FALL_ASLEEP, Member, Turn, gave_way, may_be_awake, ruled
from bench.autoscaling import traces
from bench.autoscaling.scenarios import variant
from bench.standby.clairvoyant import STEP, best, met_by_step

__all__ = [
    "ALWAYS",
    "KINDS",
    "PATIENT",
    "POOLS",
    "STRICT",
    "Arrangement",
    "Kind",
    "Result",
    "arrangements",
    "compare",
    "copies",
    "shared",
    "table",
]

POOLS = 4
SPAN = 3436.0
LOOK, ASK, TICK = 0.5, 1.0, 10.0
"""Seconds between looks at turns that change, at who waits, and between decisions."""
HOLDING = (Phase.PENDING, Phase.STARTING, Phase.READY, Phase.DRAINING, Phase.FALLING_ASLEEP, Phase.WAKING)
ALWAYS = "always on, one replica each"


@dataclass(frozen=True)
class Kind:
    """What the pools are asked for, and what they promise: keep: share of the trace's requests; ttft, tpot: seconds."""

    name: str
    keep: float
    ttft: float
    tpot: float

    @property
    def limits(self) -> Limits:
        return Limits(self.ttft, self.tpot)

    @property
    def told(self) -> str:
        asked = "all requests" if self.keep >= 1.0 else f"{100 * self.keep:g} % of the requests"
        return f"{self.name} pools: {asked}, first token within {self.ttft:g} s, {1000 * self.tpot:g} ms a token"


STRICT = Kind("strict", 1.0, 2.0, 0.06)
PATIENT = Kind("patient", 0.5, 30.0, 0.2)
KINDS = (STRICT, PATIENT)
LIMITS = STRICT.limits


@dataclass(frozen=True)
class Arrangement:
    """groups: (pools by number, accelerators of the group)."""

    name: str
    groups: tuple[tuple[tuple[int, ...], int], ...]

    @property
    def accelerators(self) -> int:
        return sum(places for _, places in self.groups)


@dataclass(frozen=True)
class Lost:
    """Shares of all requests that an always-on replica meets and an arrangement does not, by what was too long. turn:
    the wait for an engine that is awake; queue: the first token after that, or the two together; pace: the time between
    tokens, as when all that waited is prefilled at once."""

    turn: float = 0.0
    queue: float = 0.0
    pace: float = 0.0


@dataclass(frozen=True)
class Result:
    """One arrangement: joint attainment over all pools' requests, hours of accelerators, turns taken. clairvoyant: what
    the best schedule of turns found beforehand attains, played; bound: what no schedule exceeds; None: not computed."""

    name: str
    attainment: float
    hours: float
    ttft_p95: float
    wakes: int = 0
    clairvoyant: float | None = None
    bound: float | None = None
    lost: Lost = Lost()


def arrangements() -> tuple[Arrangement, ...]:
    everybody = tuple(range(POOLS))
    return (
        Arrangement("one accelerator, all four", ((everybody, 1),)),
        Arrangement("two accelerators, two pools on each", (((0, 2), 1), ((1, 3), 1))),
        Arrangement("two accelerators, all four on both", ((everybody, 2),)),
        Arrangement("three accelerators, all four on each", ((everybody, 3),)),
    )


def copies(seed: int, keep: float = 1.0) -> list[list[Arrival]]:
    """The trace of each pool, of whose requests a share `keep` stays, drawn."""
    chance = np.random.default_rng(seed)
    base = traces.overlaid(traces.azure("code"), 1, SPAN, chance)
    shifts = [SPAN * index / POOLS + float(chance.uniform(-120, 120)) for index in range(POOLS)]
    whole = [traces.shifted(base, shift % SPAN, SPAN) for shift in shifts]
    if keep >= 1.0:
        return whole
    return [[arrival for arrival in trace if chance.random() < keep] for trace in whole]


def compare(seed: int, sleep: float | None = None, pools: Kind = STRICT) -> list[Result]:
    """Always on, then every arrangement. sleep: seconds to fall asleep instead of those measured. The bounds are those
    of LIMITS and of the sleep that was measured: none for others."""
    limits = pools.limits
    kind = variant("nvidia-h200", 90.0)
    if sleep is not None:
        kind = replace(kind, fall_asleep=sleep)
    each = copies(seed, pools.keep)
    always = _always_on(kind, each, seed)
    found = [_result(ALWAYS, always, len(each), 0, limits=limits)]
    for arrangement in arrangements():
        result = shared(arrangement, kind, each, seed, limits=limits, always=always)
        other = sleep is not None or limits != LIMITS
        found.append(result if other else _with_bounds(result, arrangement, kind, each, seed))
    return found


def _always_on(kind: FleetVariant, pools: Sequence[Sequence[Arrival]], seed: int) -> list[Fleet]:
    fleets = []
    for index, trace in enumerate(pools):
        fleet = Fleet((kind,), initial={kind.name: 1}, chance=np.random.default_rng(seed * 10 + index))
        for arrival in trace:
            fleet.send(arrival)
        fleet.advance(SPAN)
        fleet.close()
        fleets.append(fleet)
    return fleets


def _with_bounds(
    result: Result,
    arrangement: Arrangement,
    kind: FleetVariant,
    pools: Sequence[Sequence[Arrival]],
    seed: int,
    span: float = SPAN,
) -> Result:
    fleets: list[Fleet] = []
    most = 0.0
    for group, places in arrangement.groups:
        met = [met_by_step(kind, pools[index], places, LIMITS, span, seed) for index in group]
        most += best(met, places, bound=True)[0]
        fleets += _scheduled(kind, [pools[index] for index in group], best(met, places, bound=False)[1])
    requests = sum(map(len, pools))
    played = _result("", fleets, arrangement.accelerators, 0, span)
    return replace(result, clairvoyant=played.attainment, bound=most / requests)


# --- one pool and its engines ---------------------------------------------------------------------------------------


@dataclass
class _Pool:
    """kind: as `decide` sees it, one variant; its engines are one variant for each place to the fleet."""

    name: str
    fleet: Fleet
    kind: FleetVariant
    places: int
    trace: Sequence[Arrival]
    driver: Driver | None = None
    sent: int = 0
    seen: int = 0
    wanted: int = 0
    waits: bool = False
    within: float | None = None
    busy_at: dict[int, float] = field(default_factory=dict)
    decided: float = -TICK

    def engine(self, place: int) -> Replica:
        return next(each for each in self.fleet.replicas if each.variant.name == _place(place))

    def holds(self, place: int) -> int:
        """Engines that hold the accelerators: at most one."""
        mine = (each for each in self.fleet.replicas if each.variant.name == _place(place))
        return sum(each.phase in HOLDING for each in mine)

    def set(self, place: int, *, awake: bool) -> None:
        # one that wakes has woken before it falls asleep (the fleet would end it), and the other way round (the fleet
        # would start a second)
        if self.fleet.desired[_place(place)] != awake and self.engine(place).phase is (
            Phase.ASLEEP if awake else Phase.READY
        ):
            self.fleet.scale(_place(place), int(awake), 1 - awake)

    def advance(self, now: float) -> None:
        while self.sent < len(self.trace) and self.trace[self.sent].time < now:
            self.fleet.send(self.trace[self.sent])
            self.sent += 1
        self.fleet.advance(now)
        self.fleet.settle()

    def decide(self, now: float) -> None:
        if now % ASK < LOOK:
            self.waits = self.fleet.held > 0
        if self.driver is None or (now - self.decided < TICK - 1e-9 and not (self.waits and not self.wanted)):
            return
        self.decided = now
        self.wanted = self.driver(self._as_one(self.fleet.observe()))[self.kind.name][0]

    def _as_one(self, seen: Observation) -> Observation:
        """The places as one variant, and the target that stands as the pool's own, not as what its turns make of it."""
        views = [replace(each, variant=self.kind.name) for each in seen.replicas]
        startups = [(self.kind.name, seconds) for _, seconds in seen.startups]
        return replace(seen, replicas=views, startups=startups, desired={self.kind.name: self.wanted})

    def member(self, place: int, now: float) -> Member:
        engine = self.engine(place)
        ready = engine.phase is Phase.READY
        # what came and ended since the last look was work, too
        if engine.in_flight or not ready or self.sent > self.seen:
            self.busy_at[place] = now
        quiet = now - self.busy_at[place] if ready else None
        return Member(False, quiet, engine.phase not in HOLDING, within=self.within)


def _place(place: int) -> str:
    return f"place-{place}"


def _pool(kind: FleetVariant, index: int, trace: Sequence[Arrival], places: int, seed: int) -> _Pool:
    fleet = Fleet(
        tuple(replace(kind, name=_place(place)) for place in range(places)),
        initial={},
        asleep={_place(place): 1 for place in range(places)},
        chance=np.random.default_rng(seed * 10 + index),
        hold=900.0,
    )
    return _Pool(f"pool-{index}", fleet, kind, places, trace)


# --- turns ----------------------------------------------------------------------------------------------------------


def shared(
    arrangement: Arrangement,
    kind: FleetVariant,
    pools: Sequence[Sequence[Arrival]],
    seed: int,
    span: float = SPAN,
    limits: Limits = LIMITS,
    always: Sequence[Fleet] = (),
) -> Result:
    """An arrangement played with the production rules. span: seconds of the trace; always: what each pool's own replica
    made of it, to say what was lost beside that."""
    fleets: list[Fleet] = []
    wakes = 0
    beside: list[Fleet] = []
    for group, places in arrangement.groups:
        mine = [_deciding(_pool(kind, index, pools[index], places, seed), limits) for index in group]
        wakes += _play(mine, places, span)
        fleets += [pool.fleet for pool in mine]
        beside += [always[index] for index in group if always]
    found = _result(arrangement.name, fleets, arrangement.accelerators, wakes, span, limits)
    return replace(found, lost=_lost(fleets, beside, limits))


def _lost(fleets: Sequence[Fleet], always: Sequence[Fleet], limits: Limits) -> Lost:
    turn = queue = pace = total = 0
    for mine, own in zip(fleets, always, strict=False):
        total += len(mine.seen)
        for seen, alone in zip(mine.seen, own.seen, strict=True):
            if limits.met(seen) or not limits.met(alone):
                continue
            first = limits.first(seen.arrival)
            waited = seen.sent - seen.arrival.time
            if seen.finished and seen.ttft <= first:
                pace += 1
            elif not seen.finished or waited > first:
                turn += 1
            else:
                queue += 1
    return Lost(turn / total, queue / total, pace / total) if total else Lost()


def _deciding(pool: _Pool, limits: Limits = LIMITS) -> _Pool:
    objectives = (Objective("ttft", limits.ttft, 0.95), Objective("tpot", limits.tpot, 0.95))
    policy = Policy(
        objectives, (variant_policy(pool.kind, 0, pool.places),), tick=TICK, idle="standby", standby="shared"
    )
    pool.driver = Driver(policy, latency_grid()[1])
    pool.within = limits.ttft
    return pool


def _play(pools: Sequence[_Pool], places: int, span: float) -> int:
    """Turns taken until everything is answered."""
    group = _Group([Turn() for _ in range(places)], [FALL_ASLEEP] * places)
    wakes, now = 0, 0.0
    while now <= span + 300.0 and (now <= span or any(pool.fleet.busy for pool in pools)):
        now += LOOK
        for pool in pools:
            pool.advance(now)
            pool.decide(now)
            group.engines[pool.name] = [pool.member(place, now) for place in range(places)]
            pool.seen = pool.sent
        for pool in pools:
            wakes += group.look(pool, now)
        _alone(pools, places, now)
    for pool in pools:
        pool.fleet.close()
    return wakes


@dataclass
class _Group:
    """The turns of a group, and what each pool last said: that of its engines, and which places it wants."""

    turns: list[Turn]
    giving_way: list[float]
    engines: dict[str, list[Member]] = field(default_factory=dict)
    wants: dict[str, frozenset[int]] = field(default_factory=dict)

    def look(self, pool: _Pool, now: float) -> int:
        """One pool looks at its group, as in production (apps/pools/sharing); turns that were taken."""
        every = range(len(self.turns))
        others = [mine for name, mine in self.engines.items() if name != pool.name]
        clear = [all(mine[place].resting for mine in others) for place in every]
        mine = self.engines[pool.name]
        idle = [self._idle(place) for place in every]
        need = Need(pool.wanted, pool.waits, mine, [True for _ in every], clear, idle)
        self.wants[pool.name] = asked(self.turns, pool.name, need)
        spare = room_to_spare(self.turns, [clear[place] and mine[place].resting for place in every])
        taken = 0
        for place in every:
            before = self.turns[place]
            # whoever is asked next finds a place that is free: nobody need go to sleep for that
            stays = spare and not before.waiting
            members = {
                name: replace(
                    told[place],
                    wants=place in self.wants.get(name, ()),
                    quiet=None if stays else told[place].quiet,
                )
                for name, told in self.engines.items()
            }
            self.turns[place] = ruled(before, members, now, giving_way=self.giving_way[place])
            self.giving_way[place] = gave_way(before, self.turns[place], now, self.giving_way[place])
            taken += self.turns[place].holder not in ("", before.holder)
        for place in every:
            pool.set(place, awake=place in self.wants[pool.name] and may_be_awake(self.turns[place], pool.name))
        return taken

    def _idle(self, place: int) -> float:
        holder = self.engines.get(self.turns[place].holder)
        return (holder[place].quiet or 0.0) if holder is not None else 0.0


def _scheduled(
    kind: FleetVariant, requests: Sequence[Sequence[Arrival]], path: Sequence[tuple[int, ...]]
) -> list[Fleet]:
    """A schedule of turns found beforehand, played as far as engines follow: nobody wakes before the other sleeps.
    What is left over at its end has missed."""
    places = len(path[0])
    pools = [_pool(kind, index, trace, places, 0) for index, trace in enumerate(requests)]
    now = 0.0
    while (step := int(now / STEP)) < len(path):
        for place, awake in enumerate(path[step]):
            for index, pool in enumerate(pools):
                clear = not any(other.holds(place) for other in pools if other is not pool)
                pool.set(place, awake=index == awake and clear)
        now += LOOK
        for pool in pools:
            pool.advance(now)
        _alone(pools, places, now)
    for pool in pools:
        pool.fleet.close()
    return [pool.fleet for pool in pools]


def _alone(pools: Sequence[_Pool], places: int, now: float) -> None:
    for place in range(places):
        if sum(pool.holds(place) for pool in pools) > 1:
            raise AssertionError(f"two engines were awake on accelerator {place} at {now} s")


def _result(
    name: str, fleets: Sequence[Fleet], accelerators: int, wakes: int, span: float = SPAN, limits: Limits = LIMITS
) -> Result:
    seen = [each for fleet in fleets for each in fleet.seen]
    first = [each.ttft for each in seen if each.finished]
    attained = sum(map(limits.met, seen)) / len(seen)
    return Result(name, attained, accelerators * span / 3600, float(np.quantile(first, 0.95)), wakes)


def table(results: Mapping[int, Sequence[Result]]) -> list[dict[str, float | str | None]]:
    """Rows for people: the mean over seeds, and what is saved and lost against always on, which comes first."""
    rows: list[dict[str, float | str | None]] = []
    for mine in zip(*results.values(), strict=True):
        pairs = [(own, found[0]) for own, found in zip(mine, results.values(), strict=True)]
        rows.append(
            {
                "name": mine[0].name,
                "attainment": _mean([r.attainment for r in mine]),
                "hours": _mean([r.hours for r in mine]),
                "saved": 1 - _known([own.hours / always.hours for own, always in pairs]),
                "points_lost": 100 * _known([always.attainment - own.attainment for own, always in pairs]),
                "ttft_p95": _mean([r.ttft_p95 for r in mine]),
                "wakes": _mean([r.wakes for r in mine]),
                "clairvoyant": _mean([r.clairvoyant for r in mine]),
                "bound": _mean([r.bound for r in mine]),
                "lost_to_turn": 100 * _known([r.lost.turn for r in mine]),
                "lost_to_queue": 100 * _known([r.lost.queue for r in mine]),
                "lost_to_pace": 100 * _known([r.lost.pace for r in mine]),
                "most_points_lost": 100 * max(always.attainment - own.attainment for own, always in pairs),
            }
        )
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else _known([value for value in values if value is not None])


def _known(values: Sequence[float]) -> float:
    return float(np.mean(values))
