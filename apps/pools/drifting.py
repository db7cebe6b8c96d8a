"""Drift of one pool during a reconcile: what is found, what its policy lets be put right, what is remembered of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from apps.core import clock
from apps.core.domain.conditions import Condition
from apps.pools.actions import allowed_managers
from apps.pools.desired import Desired
from apps.pools.domain import drift
from apps.pools.domain.drift import Decision, Drifted, Policy
from apps.pools.domain.health import Sync
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.plan import Plan, address_of
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.reconcile import services as reconcile
from apps.reconcile.queue import Lease


@dataclass(frozen=True)
class Look:
    """`todo`: the plan without what is not put right now. `right`: drift that is put right by it, by `Kind/name`.
    `left`: drift that stays for now. `hands`: edits by hand may be taken back.
    """

    todo: Plan
    right: Mapping[str, Drifted]
    left: tuple[Drifted, ...]
    decision: Decision
    policy: Policy
    hands: bool
    rendered: str

    def status(self) -> dict[str, Any]:
        """What the pool's status keeps of it; nothing where there is nothing to keep."""
        if not self.left and not self.decision.memory:
            return {}
        return drift.write_memory(self.decision.memory, self.left)

    def sync(self) -> Sync | None:
        """What the pool says of itself while drift is left."""
        if not self.left:
            return None
        said = drift.condition(self.left, self.decision, self.policy, 0)
        return Sync("OutOfSync", "Drifted", said.message)

    def condition(self, pool: Pool) -> Condition | None:
        """`Drifted`, of a pool that has drift or once had it."""
        if not self.left and pool.condition("Drifted") is None:
            return None
        return drift.condition(self.left, self.decision, self.policy, pool.generation)

    def look_again(self) -> float | None:
        """In how many seconds what waits may be put right; None where nothing waits."""
        if self.decision.next_at is None:
            return None
        return max(0.5, (self.decision.next_at - clock.now()) / timedelta(seconds=1))


def look(
    pool: Pool,
    spec: PoolSpec,
    desired: Desired,
    todo: Plan,
    live: Mapping[str, Manifest],
    consents: frozenset[str] | None,
) -> Look:
    """Tell drift from change: a pool that was live as it renders now can only have been changed by somebody else."""
    policy = spec.policies.drift
    consented = consents is not None
    rendered = desired.rendered_hash
    stored = pool.status.get("drift")
    memory = drift.read_memory(stored)
    if pool.status.get("appliedHash") != rendered or not todo.writes:
        decision = drift.decide(policy, [], memory, rendered, clock.now())
        # a change that people declare is their word against edits by hand that stand in its way, as a plan of it says
        return Look(todo, {}, (), decision, policy, hands=True, rendered=rendered)
    found = drift.drifted_of(todo, live)
    claimed = [one for one in found if one.name in live and not drift.hand_edited(live[one.name], one.managers)]
    others = [one for one in found if one not in claimed]
    decision = drift.decide(policy, others, memory, rendered, clock.now(), consented=consented)
    # what another apply claims is tried without force, which says whose it is, unless a person allows to take it over
    allowed = allowed_managers(pool.annotations)
    tried = {one.name for one in claimed if policy == "heal" or consented or set(one.managers) <= allowed}
    kept = tuple(write for write in todo.writes if address_of(write.manifest) in decision.heal | tried)
    left = tuple(one for one in found if one.name not in decision.heal | tried)
    right = {one.name: one for one in found if one.name in decision.heal | tried}
    return Look(replace(todo, writes=kept), right, left, decision, policy, policy == "heal" or consented, rendered)


def remember(lease: Lease, pool: Pool, seen: Look) -> None:
    """Count attempts before they are made: a worker that dies in between cannot make more. Raises LeaseLost."""
    if not seen.decision.heal:
        return
    status = {**pool.status, "drift": drift.write_memory(seen.decision.memory, seen.left)}
    with reconcile.holding(lease, Pool):
        Pool.objects.filter(uid=pool.uid, generation=pool.generation).update(status=status)
    pool.status = status
