"""Four pools with shifted copies of the Azure code trace: shared standby against one always-on replica each.

Every pool has a sleeper on its group of accelerators. The production `decide()` says when a pool is to serve and when
it may rest, the production rule of turns (apps/pools/domain/turns) who of a group is awake; both as often as in
production: a pool that serves keeps the turn as long as its target says so, one that does not wants it when requests
wait for it. A group's accelerators are counted from beginning to end, whoever is awake, or nobody. That no two engines
of a group are ever awake together is asserted at every look.

The bound is all requests on as many replicas of one model, which need no turns: no rule of turns can do better, and
each hand-over costs a drain, 7 s to fall asleep and 0.9 s to wake, in which neither serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from apps.autoscaling.domain.types import Objective, Policy
from apps.autoscaling.domain.whatif import Driver, variant_policy
from apps.physics.fleet.fleet import Fleet, FleetVariant, Observation, Phase
from apps.physics.fleet.run import Limits
from apps.physics.fleet.types import Arrival
from apps.pools.domain.facts import latency_grid
from apps.pools.domain.turns import Member, Turn, may_be_awake, ruled
from bench.autoscaling import traces
from bench.autoscaling.scenarios import variant

__all__ = ["BOUND", "Result", "compare"]

BOUND = "bound: one model in their place"

POOLS = 4
SPAN = 3436.0
# how often turns are ruled and held requests seen; a decision comes every ten seconds, and at once for who is held
LOOK, TICK = 1.0, 10.0
TTFT, TPOT = 2.0, 0.06
HOLDING = (Phase.READY, Phase.DRAINING, Phase.FALLING_ASLEEP, Phase.WAKING)


@dataclass(frozen=True)
class Result:
    """One arrangement: joint attainment over all pools' requests, hours of accelerators, turns taken."""

    name: str
    attainment: float
    hours: float
    ttft_p95: float
    wakes: int


@dataclass
class _Pool:
    name: str
    fleet: Fleet
    driver: Driver
    variant: str
    trace: Sequence[Arrival]
    sent: int = 0
    wants: bool = False
    busy_at: float = 0.0
    decided: float = -TICK

    @property
    def holds(self) -> bool:
        return any(each.phase in HOLDING for each in self.fleet.replicas)

    def member(self, now: float) -> Member:
        ready = [each for each in self.fleet.replicas if each.phase is Phase.READY]
        if any(each.in_flight for each in ready):
            self.busy_at = now
        wants = self.wants and (self.holds or self.fleet.held > 0)
        return Member(wants, now - self.busy_at if ready else None, not self.holds)


def compare(seed: int) -> list[Result]:
    """Always on; all four on one accelerator; two pools each on two; each pool to zero by itself."""
    chance = np.random.default_rng(seed)
    base = traces.overlaid(traces.azure("code"), 1, SPAN, chance)
    shifts = [SPAN * index / POOLS + float(chance.uniform(-120, 120)) for index in range(POOLS)]
    copies = [traces.shifted(base, shift % SPAN, SPAN) for shift in shifts]
    kind = variant("nvidia-h200", 90.0)
    return [
        _always_on(kind, copies, seed),
        _shared("shared, one accelerator", kind, copies, [tuple(range(POOLS))], seed),
        _shared("shared, two accelerators", kind, copies, [(0, 2), (1, 3)], seed),
        *(_bound(f"{BOUND}, {count}", kind, copies, count, seed) for count in (1, 2)),
    ]


def _always_on(kind: FleetVariant, copies: Sequence[Sequence[Arrival]], seed: int) -> Result:
    fleets = []
    for index, trace in enumerate(copies):
        fleet = Fleet((kind,), initial={kind.name: 1}, chance=np.random.default_rng(seed * 10 + index))
        for arrival in trace:
            fleet.send(arrival)
        fleet.advance(SPAN)
        fleet.close()
        fleets.append(fleet)
    return _result("always on, one replica each", fleets, len(copies) * SPAN / 3600, 0)


def _bound(name: str, kind: FleetVariant, copies: Sequence[Sequence[Arrival]], count: int, seed: int) -> Result:
    fleet = Fleet((kind,), initial={kind.name: count}, chance=np.random.default_rng(seed))
    for arrival in sorted((one for trace in copies for one in trace), key=lambda one: one.time):
        fleet.send(arrival)
    fleet.advance(SPAN)
    fleet.close()
    return _result(name, [fleet], count * SPAN / 3600, 0)


def _shared(
    name: str, kind: FleetVariant, copies: Sequence[Sequence[Arrival]], groups: Sequence[tuple[int, ...]], seed: int
) -> Result:
    pools = [_pool(kind, index, trace, seed) for index, trace in enumerate(copies)]
    turns = [Turn() for _ in groups]
    wakes, now = 0, 0.0
    while now <= SPAN + 300.0 and (now <= SPAN or any(pool.fleet.busy for pool in pools)):
        now += LOOK
        for pool in pools:
            _advance(pool, now)
        for at, group in enumerate(groups):
            members = {pools[index].name: pools[index].member(now) for index in group}
            before, turns[at] = turns[at], ruled(turns[at], members, now)
            wakes += turns[at].holder not in ("", before.holder)
            for index in group:
                pool = pools[index]
                awake = int(pool.wants and may_be_awake(turns[at], pool.name))
                if (awake, 1 - awake) != (pool.fleet.desired[pool.variant], pool.fleet.asleep[pool.variant]):
                    pool.fleet.scale(pool.variant, awake, 1 - awake)
            if sum(pools[index].holds for index in group) > 1:
                raise AssertionError(f"two engines of a group were awake at {now} s")
    for pool in pools:
        pool.fleet.close()
    return _result(name, [pool.fleet for pool in pools], len(groups) * SPAN / 3600, wakes)


def _pool(kind: FleetVariant, index: int, trace: Sequence[Arrival], seed: int) -> _Pool:
    objectives = (Objective("ttft", TTFT, 0.95), Objective("tpot", TPOT, 0.95))
    policy = Policy(objectives, (variant_policy(kind, 0, 1),), tick=TICK, idle="standby", standby="shared")
    fleet = Fleet(
        (kind,),
        initial={},
        asleep={kind.name: 1},
        chance=np.random.default_rng(seed * 10 + index),
        hold=900.0,
    )
    return _Pool(f"pool-{index}", fleet, Driver(policy, latency_grid()[1]), kind.name, trace)


def _advance(pool: _Pool, now: float) -> None:
    while pool.sent < len(pool.trace) and pool.trace[pool.sent].time < now:
        pool.fleet.send(pool.trace[pool.sent])
        pool.sent += 1
    pool.fleet.advance(now)
    held = pool.fleet.held
    if now - pool.decided < TICK - 1e-9 and not (held and not pool.wants):
        return
    seen = _as_wanted(pool, pool.fleet.observe())
    pool.decided = now
    pool.wants = pool.driver(seen)[pool.variant][0] > 0


def _as_wanted(pool: _Pool, seen: Observation) -> Observation:
    """The targets that stand are the pool's own, not what its turn makes of them."""
    return replace(seen, desired={pool.variant: int(pool.wants)})


def _result(name: str, fleets: Sequence[Fleet], hours: float, wakes: int) -> Result:
    limits = Limits(TTFT, TPOT)
    seen = [each for fleet in fleets for each in fleet.seen]
    first = [each.ttft for each in seen if each.finished]
    return Result(name, sum(map(limits.met, seen)) / len(seen), hours, float(np.quantile(first, 0.95)), wakes)


def table(results: Mapping[int, Sequence[Result]]) -> list[dict[str, float | str]]:
    """Rows for people: the mean over seeds, and what is saved and lost against always on."""
    rows: list[dict[str, float | str]] = []
    names = [each.name for each in next(iter(results.values()))]
    for at, name in enumerate(names):
        mine = [found[at] for found in results.values()]
        pairs = [(found[at], found[0]) for found in results.values()]
        rows.append(
            {
                "name": name,
                "attainment": float(np.mean([r.attainment for r in mine])),
                "hours": float(np.mean([r.hours for r in mine])),
                "saved": 1 - float(np.mean([own.hours / always.hours for own, always in pairs])),
                "points_lost": 100 * float(np.mean([always.attainment - own.attainment for own, always in pairs])),
                "ttft_p95": float(np.mean([r.ttft_p95 for r in mine])),
                "wakes": float(np.mean([r.wakes for r in mine])),
            }
        )
    return rows
