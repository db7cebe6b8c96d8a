"""Specs that wait: the plan that a person looks at before one goes live, kept true while the cluster moves."""

from __future__ import annotations

from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.core.domain.access import Actor
from apps.core.domain.conditions import Condition
from apps.core.domain.refusals import Refusal
from apps.core.writes import By
from apps.pools import plans, selectors
from apps.pools.desired import desired_of, gather
from apps.pools.domain.health import Sync
from apps.pools.domain.manifests import PlanRefused
from apps.pools.models import Pool, PoolPlan
from apps.pools.observing import Observed
from apps.pools.planning import fingerprint
from apps.pools.selectors import Standing
from apps.reconcile import services as reconcile
from apps.reconcile.queue import Lease


def waits(lease: Lease, pool: Pool, standing: Standing, cluster: Cluster, kube: Kube, observed: Observed) -> Sync:
    """What the pool says of itself while its newest spec waits; makes the plan where there is none that still holds."""
    held = f"generation {standing.generation} stays live" if standing.spec is not None else "nothing is live yet"
    head = f"generation {pool.generation} waits for approval and {held}"
    try:
        plan = _pending(lease, pool, cluster, kube, observed)
    except PlanRefused as refused:
        return Sync("OutOfSync", refused.reason, f"{head}; it cannot be rendered as declared: {refused}")
    except Refusal as refusal:
        return Sync("OutOfSync", "WaitingForApproval", f"{head}; no plan of it could be made: {refusal.detail}")
    sentence = plan.content["summary"]["sentence"]
    message = f"{head}: {sentence}. Look at plan {plan.pk} and approve it: lamp approve pool/{pool.name}"
    return Sync("OutOfSync", "WaitingForApproval", message)


def condition(pool: Pool, standing: Standing, sync: Sync | None) -> Condition | None:
    """`Approved`, of a pool whose specs wait for approval, or once did."""
    if standing.waiting and sync is not None:
        return Condition("Approved", "False", "WaitingForApproval", sync.message, pool.generation)
    if pool.condition("Approved") is None:
        return None
    message = f"generation {pool.generation} may be live"
    return Condition("Approved", "True", "Approved", message, pool.generation)


def _pending(lease: Lease, pool: Pool, cluster: Cluster, kube: Kube, observed: Observed) -> PoolPlan:
    rendered = desired_of(gather(pool, selectors.spec_of(pool), cluster), kube.resources()).declared_hash
    rows = PoolPlan.objects.filter(pool=pool, origin=plans.APPROVAL, state=plans.OPEN)
    plan: PoolPlan | None = rows.filter(generation=pool.generation).order_by("-id").first()
    if plan is not None and _holds(plan, pool, rendered, observed):
        return plan
    revision = pool.revisions.get(generation=pool.generation)
    prospect = plans.present(pool)
    found = plans.made(prospect)
    with reconcile.holding(lease, Pool):
        rows.update(state=plans.SUPERSEDED)
        by = By(Actor(revision.actor), reason=revision.reason)
        return plans.store(prospect, found, plans.APPROVAL, by=by)


def _holds(plan: PoolPlan, pool: Pool, rendered: str, observed: Observed) -> bool:
    seen = {(row["kind"], row["name"], row["uid"], row["digest"]) for row in plan.base["objects"]}
    now = {(row["kind"], row["name"], row["uid"], row["digest"]) for row in map(fingerprint, observed.live)}
    return (plan.base["version"], plan.base["renderedHash"]) == (pool.version, rendered) and seen == now
