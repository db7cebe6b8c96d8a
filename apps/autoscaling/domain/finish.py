"""From what each pool needs to its decision: hold, zero, mix of variants, safety.

What is the same arithmetic in each pool runs over all of them. Most pools of most ticks stay as they are: only the
others are drafted one by one, past all that may be declared of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain import groups as of_groups
from apps.autoscaling.domain import idle, moves
from apps.autoscaling.domain.arrays import Figures, at, larger, listed, lone, no, smaller
from apps.autoscaling.domain.draft import Draft, Group, Groups, Need, Plain
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.memory import LAYOUT, Memory
from apps.autoscaling.domain.safety import Guard
from apps.autoscaling.domain.telling import Batch, Telling
from apps.autoscaling.domain.types import Clamp, Decision, Numbers, Policy, Signals, State, Target, Verb

__all__ = ["finish"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# there are few different ones, and thousands of pools in a tick
_target = lru_cache(maxsize=8192)(Target)


def finish(
    policies: Sequence[Policy], signals: Sequence[Signals], now: Floats, fleet: Fleet, groups: Groups, need: Need
) -> list[Decision]:
    """The decisions of all pools, their memory included. now: Unix seconds (pools,)."""
    memory, plain = need.memory, Plain(need, fleet)
    known = fleet.arrived == fleet.arrived
    rest = idle.observe(memory, _idle(fleet), known, now, fleet.seconds)
    sizes = of_groups.sized(fleet, groups, need, now)
    moved = moves.observe(memory, at(need.work, groups.starts), fleet.seconds)
    batch = Batch(policies, signals, groups.each, _of_pools(groups.each, len(policies)), plain, need, sizes)
    attained, still = _attained(memory), _still(fleet, groups, sizes.still)
    pool_memory, row_memory = memory.apart()
    closer = _Closer(fleet, groups, batch, moved, listed(rest), pool_memory)
    decisions = []
    for index, (policy, at_now) in enumerate(zip(policies, listed(now), strict=True)):
        first = plain.first_row[index]
        targets: tuple[Target, ...]
        before: tuple[Target, ...]
        clamps: tuple[Clamp, ...] = ()
        verb: Verb = "hold"
        if still[index] and not _particular(policy):
            # one variant, which stays as it is
            binding, variant, found = "hold", policy.variants[0], fleet.seen[first]
            number, asleep = (variant.minimum, 0) if found is None else (found.replicas.desired, found.replicas.asleep)
            targets = before = (_target(variant.name, number, asleep),)
            cost, rows = variant.price * (number + asleep), {variant.name: row_memory[first]}
        else:
            pool = closer.look(index, policy, at_now)
            verb, binding, clamps = pool.verb, pool.binding, tuple(pool.clamps)
            targets, before = _targets(pool)
            cost, rows = _cost(pool), {}
            for row, variant in enumerate(policy.variants, first):
                rows[variant.name] = row_memory[row]
        decisions.append(
            Decision.untold(
                Telling(batch, index),
                at_now,
                verb,
                targets,
                before,
                binding,
                clamps,
                cost,
                attained[index],
                State(at_now, LAYOUT, pool_memory[index], rows),
            )
        )
    return decisions


def _of_pools(groups: Sequence[Group], pools: int) -> list[Sequence[int]]:
    """The places of each pool's groups, which follow each other."""
    if len(groups) == pools:
        return [(index,) for index in range(pools)]
    found: list[list[int]] = [[] for _ in range(pools)]
    for index, group in enumerate(groups):
        found[group.pool].append(index)
    return [*found]


def _idle(fleet: Fleet) -> Figures:
    """Whether nothing came, runs or waits in pools: figures of pools."""
    quiet = (fleet.running == 0) & (fleet.waiting == 0)
    if len(fleet.rows) < len(fleet.pool):
        quiet = lone(np.logical_and.reduceat(quiet, fleet.first_row))
    return quiet & (fleet.arrived == 0) & no(fleet.queued > 0)


def _still(fleet: Fleet, groups: Groups, still: Bools) -> list[bool]:
    """Whether pools have one variant, which stays within its bounds as it is; still: figures of groups."""
    before, least = at(fleet.before, fleet.first_row), at(fleet.minimum, fleet.first_row)
    within = (before >= larger(least, 1.0)) & (before <= at(fleet.maximum, fleet.first_row))
    alone = lone(fleet.rows) == 1
    found: list[bool] = listed(within & alone & at(still, groups.starts))
    return found


def _particular(policy: Policy) -> bool:
    """Whether something is declared that may move a pool whose load does not."""
    return bool(
        policy.schedules
        or policy.freezes
        or policy.budget is not None
        or (policy.idle != "keep" and policy.variants[0].minimum <= 0)
    )


def _attained(memory: Memory) -> list[tuple[float, float] | None]:
    """Shares of requests within all objectives, at least and at most; None before the first requests."""
    served = memory.figure("served")
    judged = larger(served, 1.0)
    least = larger(1 - memory.figure("missed") / judged, 0.0)
    most = smaller(1 - memory.figure("missed_least") / judged, 1.0)
    return [
        (low, high) if number >= 1 else None
        for number, low, high in zip(listed(served), listed(least), listed(most), strict=True)
    ]


class _Closer:
    """Drafts pools one by one. rest: seconds for which they have been idle, below 0 where they are not; memory: theirs,
    apart."""

    def __init__(
        self,
        fleet: Fleet,
        groups: Groups,
        batch: Batch,
        moved: moves.Moves,
        rest: Sequence[float],
        memory: Sequence[Numbers],
    ) -> None:
        self.fleet, self.groups, self.batch, self.moved = fleet, groups, batch, moved
        self.rest, self.memory = rest, memory

    def look(self, index: int, policy: Policy, now: float) -> Draft:
        """What becomes of a pool."""
        batch, plain, fleet = self.batch, self.batch.plain, self.fleet
        first, places = plain.first_row[index], batch.of_pool[index]
        before, asleep = [], []
        for variant, found in zip(policy.variants, fleet.seen[first : first + plain.rows[index]], strict=True):
            before.append(found.replicas.desired if found is not None else variant.minimum)
            asleep.append(found.replicas.asleep if found is not None else 0)
        pool = Draft(
            policy,
            batch.signals[index],
            now,
            self.memory[index],
            places,
            first,
            before,
            asleep,
            before[:],
            asleep[:],
        )
        of_groups.apply(pool, self.groups, batch.sizes, plain)
        asked = plain.arrived[index] > 0 or plain.queued[index] > 0
        idle.apply(pool, self.rest[index], asked, plain, index)
        Guard(pool, plain, self.moved, index).apply()
        moves.note(pool, self.moved.load[index])
        for place in places:
            batch.totals[place] = of_groups.equivalent(pool, self.groups.each[place].rows, plain)
        return pool


def _targets(pool: Draft) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """What the variants are to have, and what they have."""
    variants = pool.policy.variants
    targets = tuple([_target(v.name, n, a) for v, n, a in zip(variants, pool.target, pool.asleep, strict=True)])
    if pool.target == pool.before and pool.asleep == pool.asleep_before:
        return targets, targets
    standing = zip(variants, pool.before, pool.asleep_before, strict=True)
    return targets, tuple([_target(v.name, n, a) for v, n, a in standing])


def _cost(pool: Draft) -> float:
    """Of the targets per hour."""
    cost = 0.0
    for variant, number, asleep in zip(pool.policy.variants, pool.target, pool.asleep, strict=True):
        cost += variant.price * (number + asleep)
    return cost
