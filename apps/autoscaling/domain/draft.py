"""A pool on its way to a decision, and what groups of variants need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import at, listed, lone
from apps.autoscaling.domain.capacity import Curve
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.memory import POOL, Memory
from apps.autoscaling.domain.types import Clamp, Numbers, Policy, Signals, Verb, record

__all__ = ["Draft", "Group", "Groups", "Need", "Plain"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_AT = {name: at.start for name, at in POOL.slices.items()}


@record
class Group:
    """Variants of one pool with one role, which stand in for each other; rows are theirs in the batch."""

    pool: int
    role: str
    rows: tuple[int, ...]


@dataclass(slots=True)
class Groups:
    """The groups of a batch, those of a pool side by side: `each` of them; (groups,) their pool, their first row,
    whether it is their only one; (pools,) where a pool's begin (`starts`); (rows,) the group of a row."""

    each: list[Group]
    pool: Ints
    row: Ints
    alone: Bools
    starts: Ints
    of_row: Ints

    @classmethod
    def of(cls, policies: Sequence[Policy]) -> Groups:
        if len(policies) == 1 and len(policies[0].variants) == 1:
            return _only_one(policies[0].variants[0].role)
        if all(len(policy.variants) == 1 for policy in policies):
            each = [Group(index, policy.variants[0].role, (index,)) for index, policy in enumerate(policies)]
            places = np.arange(len(each))
            return cls(each, places, places, np.ones(len(each), dtype=np.bool_), places, places)
        each = []
        starts: list[int] = []
        of_row: list[int] = []
        for index, policy in enumerate(policies):
            starts.append(len(each))
            at = len(of_row)
            if len(policy.variants) == 1:
                of_row.append(len(each))
                each.append(Group(index, policy.variants[0].role, (at,)))
                continue
            roles: dict[str, list[int]] = {}
            for row, variant in enumerate(policy.variants, at):
                roles.setdefault(variant.role, []).append(row)
            place = {role: len(each) + k for k, role in enumerate(roles)}
            of_row += [place[variant.role] for variant in policy.variants]
            each += [Group(index, role, tuple(rows)) for role, rows in roles.items()]
        return cls(
            each,
            np.array([group.pool for group in each]),
            np.array([group.rows[0] for group in each]),
            np.array([len(group.rows) == 1 for group in each]),
            np.array(starts),
            np.array(of_row),
        )

    def total(self, values: Any) -> Any:
        """Sums of figures of rows by group."""
        if isinstance(values, np.ndarray):
            return lone(np.bincount(self.of_row, values, len(self.each)))
        return values

    def most(self, values: Any) -> Any:
        """The highest of figures of groups by pool."""
        return lone(np.maximum.reduceat(values, self.starts)) if isinstance(values, np.ndarray) else values

    def any(self, these: Any) -> Any:
        """Whether one is true, figures of groups, by pool."""
        return lone(np.logical_or.reduceat(these, self.starts)) if isinstance(these, np.ndarray) else these


@lru_cache(maxsize=8)
def _only_one(role: str) -> Groups:
    """Of one pool with one variant."""
    place, alone = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.bool_)
    place.flags.writeable = alone.flags.writeable = False
    return Groups([Group(0, role, (0,))], place, place, alone, place, place)


@dataclass(slots=True)
class Need:
    """What groups need, in replicas of their first variant (groups,): `up` to move up to, `kept` not to go below,
    `least` so that no moment is lost, `plain` by the forecast alone, `fast` by the load of now. `carries`: requests/s a
    replica of each row carries; `reference`: the same of each group's first row. Work and loads in replica-seconds a
    second of that row; `points` (groups, nodes) the forecast; `flat` (pools,) whether the last half hour was flat, has
    seen the load to come, and goes on."""

    up: Floats
    kept: Floats
    least: Floats
    plain: Floats
    fast: Floats
    carries: Floats
    reference: Floats
    work: Floats
    backlog: Floats
    drain: Floats
    points: Floats
    miss: Floats
    floor: Floats
    crowding: Floats
    curve: Curve
    rows: Ints
    horizon: Floats
    flat: Bools
    hold: Floats
    memory: Memory
    startup: Floats
    load_now: Floats
    long_prompt: Floats


@dataclass(slots=True)
class Draft:
    """One pool on its way to a decision, where more than its number is to be looked at. Lists by variant, in the
    policy's order; groups: places of its groups, first: of its first row."""

    policy: Policy
    signals: Signals
    now: float
    memory: Numbers
    groups: Sequence[int]
    first: int
    before: list[int]
    asleep_before: list[int]
    target: list[int]
    asleep: list[int]
    binding: str = ""
    verb: Verb = "hold"
    clamps: list[Clamp] = field(default_factory=list)

    def get(self, name: str) -> float:
        """A number of the pool's memory."""
        return self.memory[_AT[name]]

    def put(self, name: str, value: float) -> None:
        self.memory[_AT[name]] = value

    def clamp(self, rule: str, variant: str, before: int, after: int, reason: str) -> None:
        """Note that a rule changed the result; nothing where it did not."""
        if before != after:
            self.clamps.append(Clamp(rule, variant, before, after, reason))


class Plain:
    """The arrays that are read pool by pool, as plain numbers: reading an array's item costs more than the sum."""

    def __init__(self, need: Need, fleet: Fleet) -> None:
        self.up, self.least = listed(need.up), listed(need.least)
        self.plain, self.fast = listed(need.plain), listed(need.fast)
        self.carries, self.reference = listed(need.carries), listed(need.reference)
        self.backlog, self.drain, self.work = listed(need.backlog), listed(need.drain), listed(need.work)
        self.points: list[list[float]] = need.points.tolist()
        self.floor = listed(need.floor)
        self.horizon, self.hold, self.startup = listed(need.horizon), listed(need.hold), listed(need.startup)
        self.load_now, self.hopeless = listed(need.load_now), listed(at(need.curve.hopeless, need.rows))
        self.flat = listed(need.flat)
        self.first_row, self.rows = fleet.first_row.tolist(), fleet.rows.tolist()
        self.arrived, self.queued = listed(fleet.arrived), listed(fleet.queued)
        self.ready, self.stuck, self.coming = listed(fleet.ready), listed(fleet.stuck), listed(fleet.coming)

    def wake(self, pool: Draft) -> float:
        """Seconds from warm standby to ready."""
        return max(variant.wake for variant in pool.policy.variants)
