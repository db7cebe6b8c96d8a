"""From what each pool needs to its decision: hold, zero, mix of variants, safety; and what explains it."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from functools import cached_property, lru_cache

import numpy as np

from apps.autoscaling.domain import explain, idle, outlook
from apps.autoscaling.domain.draft import Draft, Group, Need, Plain, load_of
from apps.autoscaling.domain.extract import Fleet
from apps.autoscaling.domain.memory import HOLD_PARTS, LAYOUT, LONGEST_HOLD, VARIANT
from apps.autoscaling.domain.safety import Guard
from apps.autoscaling.domain.sizing import Shape, cheapest_mix, least_step
from apps.autoscaling.domain.types import (
    Decision,
    Numbers,
    Policy,
    Proposal,
    Signals,
    State,
    Target,
    VariantSignals,
)

__all__ = ["finish"]

_PARTS, _FROM = VARIANT.slices["hold_parts"], VARIANT.slices["hold_from"].start
_NEWER_PARTS = slice(_PARTS.start, _PARTS.stop - 1)
# seconds of a part
_PART = LONGEST_HOLD / HOLD_PARTS
_RESIDUAL = VARIANT.slices["residual"].start


def finish(
    policies: Sequence[Policy],
    signals: Sequence[Signals],
    nows: Sequence[float],
    fleet: Fleet,
    groups: Sequence[Group],
    need: Need,
) -> list[Decision]:
    """The decisions of all pools, their memory included."""
    pool_memory, row_memory = need.memory.apart()
    of_pool = _of_pools(groups, len(policies))
    batch = _Batch(policies, signals, groups, of_pool, Plain(need, fleet), need)
    plain, decisions = batch.plain, []
    for index, (policy, seen, now) in enumerate(zip(policies, signals, nows, strict=True)):
        first, count = plain.first_row[index], plain.rows[index]
        rows, found = row_memory[first : first + count], fleet.seen[first : first + count]
        pool = _start(policy, seen, found, now, pool_memory[index], rows, of_pool[index], first)
        _size(pool, index, groups, plain)
        batch.note(pool)
        decisions.append(_decision(pool, _Telling(batch, index)))
    return decisions


class _Batch:
    """What decisions of one call are explained from, in common: no more than that is kept of a draft, since garbage
    collection goes through all that thousands of decisions keep. held, saturated: of each group the most needed within
    the hold and the saturation rule's number; totals: replicas of each group in units of its first row."""

    def __init__(
        self,
        policies: Sequence[Policy],
        signals: Sequence[Signals],
        groups: Sequence[Group],
        of_pool: Sequence[Sequence[int]],
        plain: Plain,
        need: Need,
    ) -> None:
        self.policies, self.signals, self.groups, self.of_pool = policies, signals, groups, of_pool
        self.plain, self.need = plain, need
        self.held: list[float] = []
        self.saturated: list[int | None] = []
        self.totals: list[float] = []

    def note(self, pool: Draft) -> None:
        """What explains a pool that is decided; pools come in their order."""
        for at, held, saturation in pool.held:
            self.held.append(held)
            self.saturated.append(saturation)
            self.totals.append(max(_equivalent(pool, self.groups[at], self.plain), 1.0))

    @cached_property
    def views(self) -> outlook.Views:
        return outlook.of(self.need, np.array(self.totals))


class _Telling:
    """Tells of the pool at a place of its batch."""

    __slots__ = ("batch", "index")

    def __init__(self, batch: _Batch, index: int) -> None:
        self.batch, self.index = batch, index

    def __call__(self, decision: Decision) -> dict[str, object]:
        return _told(self.batch, self.index, decision)


def _of_pools(groups: Sequence[Group], pools: int) -> list[Sequence[int]]:
    """The places of each pool's groups, which follow each other."""
    if len(groups) == pools:
        return [(index,) for index in range(pools)]
    found: list[list[int]] = [[] for _ in range(pools)]
    for index, group in enumerate(groups):
        found[group.pool].append(index)
    return [*found]


def _start(
    policy: Policy,
    signals: Signals,
    seen: Sequence[VariantSignals | None],
    now: float,
    memory: Numbers,
    rows: list[Numbers],
    groups: Sequence[int],
    first: int,
) -> Draft:
    before, asleep = [], []
    for variant, found in zip(policy.variants, seen, strict=True):
        before.append(found.replicas.desired if found is not None else variant.minimum)
        asleep.append(found.replicas.asleep if found is not None else 0)
    return Draft(policy, signals, now, memory, rows, groups, first, before, asleep, before[:], asleep[:])


# --- the number -----------------------------------------------------------------------------------------------------


def _size(pool: Draft, index: int, groups: Sequence[Group], plain: Plain) -> None:
    policy, now = pool.policy, pool.now
    arrived = plain.arrived[index]
    known = not math.isnan(arrived)
    known_at = pool.get("known_at")
    age = now - known_at if known_at >= 0 else math.inf
    stale = not known and age > policy.limits.stale * policy.tick
    rest = idle.observe(pool, known and arrived == 0 and _quiet(pool, index, plain), known, plain.seconds[index])
    queued = plain.queued[index]
    asked = (known and arrived > 0) or queued > 0
    for group_index in pool.groups:
        _size_group(pool, groups[group_index], group_index, index, plain)
    if not pool.binding:
        pool.binding = "hold"
    idle.apply(pool, rest, asked, plain, index)
    guard = Guard(pool, plain, index, known=known, stale=stale, age=age)
    guard.apply()
    _account(pool, load_of(pool, plain))


def _quiet(pool: Draft, index: int, plain: Plain) -> bool:
    rows = range(pool.first, pool.first + len(pool.policy.variants))
    nothing = all(plain.running[r] == 0 and plain.waiting[r] == 0 for r in rows)
    return nothing and not plain.queued[index] > 0


def _size_group(pool: Draft, group: Group, at: int, index: int, plain: Plain) -> None:
    rows = [row - pool.first for row in group.rows]
    up, kept = int(plain.up[at]), int(plain.kept[at])
    several = len(rows) > 1
    current = sum([pool.before[row] for row in rows]) if several else pool.before[rows[0]]
    if several:
        reference = max(plain.reference[at], 1e-12)
        weights = [plain.carries[pool.first + row] / reference for row in rows]
        equivalent = sum([w * pool.before[row] for w, row in zip(weights, rows, strict=True)])
    else:
        weights, equivalent = [1.0], float(current)
    saturation = _saturation(pool, group, index, plain)
    if saturation is not None:
        up, kept = max(up, saturation), max(kept, saturation)
    held = _held(pool, rows[0], kept, equivalent, plain.hold[at])
    pool.held.append((at, held, saturation))
    if up > equivalent + 1e-9:
        rule = _binding(at, plain, up, saturation)
        if several:
            _mix(pool, rows, weights, float(up), plain, urgent=plain.load_now[at] > 0.9 * plain.ready[group.rows[0]])
        else:
            pool.target[rows[0]] = up
        pool.binding = rule
    elif held < equivalent - 1e-9:
        if several:
            candidate = _mixed(pool, rows, weights, float(held), plain, urgent=False)
            cost = sum(pool.policy.variants[r].price * n for r, n in zip(rows, candidate, strict=True))
            standing = sum(pool.policy.variants[r].price * pool.before[r] for r in rows)
            if cost < standing * 0.97:
                for row, count in zip(rows, candidate, strict=True):
                    pool.target[row] = count
                pool.binding = "forecast"
        else:
            pool.target[rows[0]] = min(int(held), current)
            pool.binding = pool.binding or "forecast"
    elif up < current and not pool.binding:
        pool.binding = "hold"


def _mix(pool: Draft, rows: list[int], weights: list[float], need: float, plain: Plain, *, urgent: bool) -> None:
    for row, count in zip(rows, _mixed(pool, rows, weights, need, plain, urgent=urgent), strict=True):
        pool.target[row] = count


def _mixed(
    pool: Draft, rows: list[int], weights: list[float], need: float, plain: Plain, *, urgent: bool
) -> tuple[int, ...]:
    shapes = []
    for row, weight in zip(rows, weights, strict=True):
        variant = pool.policy.variants[row]
        at = pool.first + row
        most = variant.maximum
        if variant.available is not None:
            most = min(most, max(pool.before[row], 0) + variant.available // max(variant.accelerators, 1))
        if plain.stuck[at] > 0:
            most = min(most, int(plain.ready[at] + plain.coming[at]))
        start = 0.03 + plain.startup[at] / (300.0 if urgent else 1800.0)
        least = min(variant.minimum, most)
        shapes.append(Shape(weight, variant.price * 1.0, least, max(most, least), pool.before[row], start))
    return cheapest_mix(need, shapes).replicas


def _equivalent(pool: Draft, group: Group, plain: Plain) -> float:
    rows = [row - pool.first for row in group.rows]
    if len(rows) == 1:
        return float(pool.target[rows[0]])
    reference = max(plain.reference[pool.groups[0]], 1e-12)
    return sum(pool.target[row] * plain.carries[pool.first + row] / reference for row in rows)


def _held(pool: Draft, row: int, kept: int, current: float, hold: float) -> float:
    """The most that was needed within the last `hold` seconds. Not more than a quarter goes at once: what holds for
    the last of them may not for the first."""
    memory, now = pool.rows[row], pool.now
    since, need = memory[_FROM], float(kept)
    if since < 0 or now - since > LONGEST_HOLD:
        since = now
        memory[_PARTS] = array("d", [max(need, math.ceil(current))] * HOLD_PARTS)
    while now - since >= _PART:
        since += _PART
        memory[_PARTS] = array("d", [0.0, *memory[_NEWER_PARTS]])
    memory[_FROM] = since
    newest = _PARTS.start
    memory[newest] = max(memory[newest], need)
    # the first part has just begun, so that the last one counts too in which the hold ends
    reach = 1 + math.ceil(max(hold - (now - since), 0.0) / _PART)
    recent = max(memory[newest : min(newest + reach, _PARTS.stop)])
    return max(recent, math.floor(current) - least_step(current))


def _saturation(pool: Draft, group: Group, index: int, plain: Plain) -> int | None:
    """Without a step-time model to trust: replicas by KV usage and queue, as thresholds have it; None while it is."""
    residual = max([pool.rows[row - pool.first][_RESIDUAL] for row in group.rows])
    if residual <= pool.policy.limits.residual:
        return None
    wanted = 1
    for row in group.rows:
        ready = plain.ready[row]
        if ready <= 0:
            continue
        usage, waiting = plain.kv_usage[row], plain.waiting[row]
        ratio = 0.0 if math.isnan(usage) else usage / 0.7
        if not math.isnan(waiting) and waiting / ready > 3:
            ratio = max(ratio, min(waiting / ready / 3, 2.0))
        wanted += max(0, math.ceil(ready * ratio - 1e-9))
    return max(wanted - 1, 1)


def _binding(at: int, plain: Plain, up: int, saturation: int | None) -> str:
    if saturation is not None and up == saturation and up > plain.plain[at]:
        return "saturation"
    if plain.plain[at] >= up:
        return "forecast"
    if plain.backlog[at] > 0:
        return "backlog"
    return "slo-floor"


def _proposals(plain: Plain, role: str, at: int, held: float, saturation: int | None) -> list[Proposal]:
    found = [
        Proposal("forecast", int(plain.plain[at]), "cheapest at the load to come", role),
        Proposal("now", int(plain.fast[at]), "for the load of the last half minute", role),
        Proposal("slo-floor", int(plain.least[at]), "so that no moment is given up", role),
        Proposal("hold", int(held), "the most needed within the hold", role),
    ]
    if plain.backlog[at] > 0:
        reason = f"to work off {plain.backlog[at]:.0f} replica-seconds of backlog in {plain.drain[at]:.0f} s"
        found.append(Proposal("backlog", int(plain.up[at]), reason, role))
    if saturation is not None:
        found.append(Proposal("saturation", saturation, "the step-time model is off; KV usage and queue decide", role))
    return found


def _account(pool: Draft, load: float) -> None:
    """Moves and reversals, and what they teach about the hold."""
    before, after = sum(pool.before), sum(pool.target)
    window = pool.policy.limits.reversal
    reversals = pool.get("reversals")
    if reversals:
        reversals *= math.exp(-pool.signals.seconds / 3600.0)
    up_at, down_at = pool.get("up_at"), pool.get("down_at")
    pool.put("up_load", max(pool.get("up_load"), load))
    if after > before:
        if down_at > up_at and pool.now - down_at < window:
            reversals += 1
        pool.put("up_at", pool.now)
        pool.put("up_load", load)
    elif after < before:
        if up_at > down_at and pool.now - up_at < window:
            reversals += 1
        pool.put("down_at", pool.now)
    pool.put("reversals", reversals)
    moved = pool.target != pool.before or pool.asleep != pool.asleep_before
    if pool.verb in ("zero", "from-zero", "sleep", "wake") or (pool.verb == "frozen" and not moved):
        return
    pool.verb = "up" if after > before else "down" if after < before else "mix" if moved else "hold"


# there are few different ones, and thousands of pools in a tick
_target = lru_cache(maxsize=8192)(Target)


# --- the record -----------------------------------------------------------------------------------------------------


def _decision(pool: Draft, telling: _Telling) -> Decision:
    policy = pool.policy
    targets = tuple([_target(v.name, n, a) for v, n, a in zip(policy.variants, pool.target, pool.asleep, strict=True)])
    before = targets
    if pool.target != pool.before or pool.asleep != pool.asleep_before:
        standing = zip(policy.variants, pool.before, pool.asleep_before, strict=True)
        before = tuple([_target(v.name, n, a) for v, n, a in standing])
    cost = 0.0
    for variant, target in zip(policy.variants, targets, strict=True):
        cost += variant.price * (target.replicas + target.asleep)
    served = pool.get("served")
    attainment = None
    if served >= 1:
        attainment = (
            max(0.0, 1 - pool.get("missed") / served),
            min(1.0, 1 - pool.get("missed_least") / served),
        )
    rows = {v.name: row for v, row in zip(policy.variants, pool.rows, strict=True)}
    return Decision.untold(
        telling,
        pool.now,
        pool.verb,
        targets,
        before,
        pool.binding,
        tuple(pool.clamps),
        cost,
        attainment,
        State(pool.now, LAYOUT, pool.memory, rows),
    )


def _told(batch: _Batch, index: int, decision: Decision) -> dict[str, object]:
    """The parts of a decision that explain it."""
    policy, plain, groups = batch.policies[index], batch.plain, batch.of_pool[index]
    group = groups[0]
    work = max(plain.work[group], 1e-12)
    quantiles = {name: plain.points[group][k] / work for name, k in (("p10", 0), ("p50", 2), ("p90", 4), ("p99", 5))}
    price = policy.variants[batch.groups[group].rows[0] - plain.first_row[index]].price
    counterfactuals = outlook.counterfactuals(batch.views, group, price)
    proposals = [
        proposal
        for at in groups
        for proposal in _proposals(plain, batch.groups[at].role, at, batch.held[at], batch.saturated[at])
    ]
    sentence = explain.sentence(
        policy=policy,
        verb=decision.verb,
        before=decision.before,
        targets=decision.targets,
        binding=decision.binding,
        clamps=decision.clamps,
        quantiles=quantiles,
        horizon=plain.horizon[index],
        hold=plain.hold[group],
        rate=plain.load_now[group] / work,
        counterfactuals=counterfactuals,
        proposals=proposals,
        floor=plain.floor[group],
        hopeless=plain.hopeless[group],
        allowed=1.0 - max((o.fraction for o in policy.objectives), default=0.95),
    )
    return {
        "sentence": sentence,
        "inputs": explain.inputs(batch.signals[index], plain.reference[group], decision.state.pool),
        "quantiles": quantiles,
        "proposals": tuple(proposals),
        "counterfactuals": counterfactuals,
    }
