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
from apps.pools.domain.turns import Member, Turn, may_be_awake, ruled
from bench.autoscaling import traces
from bench.autoscaling.scenarios import variant
from bench.standby.clairvoyant import STEP, best, met_by_step

__all__ = ["ALWAYS", "POOLS", "Arrangement", "Result", "arrangements", "compare", "copies", "shared", "table"]

POOLS = 4
SPAN = 3436.0
LOOK, ASK, TICK = 0.5, 1.0, 10.0
"""Seconds between looks at turns that change, at who waits, and between decisions."""
TTFT, TPOT = 2.0, 0.06
LIMITS = Limits(TTFT, TPOT)
HOLDING = (Phase.READY, Phase.DRAINING, Phase.FALLING_ASLEEP, Phase.WAKING)
ALWAYS = "always on, one replica each"


@dataclass(frozen=True)
class Arrangement:
    """groups: (pools by number, accelerators of the group)."""

    name: str
    groups: tuple[tuple[tuple[int, ...], int], ...]

    @property
    def accelerators(self) -> int:
        return sum(places for _, places in self.groups)


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


def compare(seed: int, sleep: float | None = None, keep: float = 1.0, limits: Limits = LIMITS) -> list[Result]:
    """Always on, then every arrangement. sleep: seconds to fall asleep instead of those measured; keep: share of each
    copy's requests. The bounds are those of LIMITS and of the sleep that was measured: none for others."""
    kind = variant("nvidia-h200", 90.0)
    if sleep is not None:
        kind = replace(kind, fall_asleep=sleep)
    each = copies(seed, keep)
    found = [_always_on(kind, each, seed, limits)]
    for arrangement in arrangements():
        result = shared(arrangement, kind, each, seed, limits=limits)
        other = sleep is not None or limits != LIMITS
        found.append(result if other else _with_bounds(result, arrangement, kind, each, seed))
    return found


def _always_on(kind: FleetVariant, pools: Sequence[Sequence[Arrival]], seed: int, limits: Limits) -> Result:
    fleets = []
    for index, trace in enumerate(pools):
        fleet = Fleet((kind,), initial={kind.name: 1}, chance=np.random.default_rng(seed * 10 + index))
        for arrival in trace:
            fleet.send(arrival)
        fleet.advance(SPAN)
        fleet.close()
        fleets.append(fleet)
    return _result(ALWAYS, fleets, len(pools), 0, limits=limits)


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
    busy_at: dict[int, float] = field(default_factory=dict)
    decided: float = -TICK

    def engine(self, place: int) -> Replica:
        return next(each for each in self.fleet.replicas if each.variant.name == _place(place))

    def holds(self, place: int) -> bool:
        return self.engine(place).phase in HOLDING

    def set(self, place: int, *, awake: bool) -> None:
        # one that wakes has woken before it falls asleep: the fleet would end it
        if self.fleet.desired[_place(place)] != awake and (awake or self.engine(place).phase is not Phase.WAKING):
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
        return Member(False, now - self.busy_at[place] if ready else None, engine.phase not in HOLDING)


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
) -> Result:
    """An arrangement played with the production rules. span: seconds of the trace."""
    fleets: list[Fleet] = []
    wakes = 0
    for group, places in arrangement.groups:
        mine = [_deciding(_pool(kind, index, pools[index], places, seed), limits) for index in group]
        wakes += _play(mine, places, span)
        fleets += [pool.fleet for pool in mine]
    return _result(arrangement.name, fleets, arrangement.accelerators, wakes, span, limits)


def _deciding(pool: _Pool, limits: Limits = LIMITS) -> _Pool:
    objectives = (Objective("ttft", limits.ttft, 0.95), Objective("tpot", limits.tpot, 0.95))
    policy = Policy(
        objectives, (variant_policy(pool.kind, 0, pool.places),), tick=TICK, idle="standby", standby="shared"
    )
    pool.driver = Driver(policy, latency_grid()[1])
    return pool


def _play(pools: Sequence[_Pool], places: int, span: float) -> int:
    """Turns taken until everything is answered."""
    group = _Group([Turn() for _ in range(places)])
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
            self.turns[place] = ruled(before, members, now)
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
            }
        )
    return rows


def _mean(values: Sequence[float | None]) -> float | None:
    return None if None in values else _known([value for value in values if value is not None])


def _known(values: Sequence[float]) -> float:
    return float(np.mean(values))
