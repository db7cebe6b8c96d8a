"""The pool controller: observe, render, compare, apply, scale, say what is. Safe to stop anywhere and run again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from uuid import UUID

from apps.clusters.errors import Conflict, FieldManagerConflict, KubeError, Throttled, Unreachable
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core import clock
from apps.core.domain.conditions import Condition
from apps.pools import approvals, bringing, rollouts, selectors, services
from apps.pools.bringing import Brought
from apps.pools.deletion import delete_pool, going
from apps.pools.desired import RULES_KIND, Desired, tiers_and_replicas
from apps.pools.domain.health import Health, Sync, VariantState, health_of, variant_state
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.picker import FRONT_PORT
from apps.pools.domain.pods import looked_at_due
from apps.pools.domain.sharing import shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.canary import on_trial
from apps.pools.models import Pool
from apps.pools.observing import Observed, observe, observe_cached
from apps.pools.ownership import Owners
from apps.pools.reading import Known, read, read_several
from apps.pools.recording import Note, Report, news, record
from apps.pools.rules import rules_of
from apps.pools.selectors import Standing
from apps.pools.strangers import Strangers
from apps.pools.telling import deletion_waits, read_only, refused_by
from apps.reconcile.domain.outcomes import Done, Outcome, Retry, Superseded, Told
from apps.reconcile.domain.priority import Priority
from apps.reconcile.queue import Lease

MOVING_SECONDS = 2.0
DEGRADED_SECONDS = 5.0
# a steady pool is looked at so often while nobody watches its cluster, and so seldom while the informers do
STEADY_SECONDS = 10.0
RESYNC_SECONDS = 600.0
REFUSED_SECONDS = 30.0
# what was read of a pool before its turn came is read anew when it is older
FRESH_SECONDS = 2.0
# a conflict of versions is news only when it comes again and again
QUIET_TRIES = 3


@dataclass(frozen=True)
class _AtHand:
    """What was read of a pool before, with others. None: to be found where needed."""

    known: Known | None
    kube: Kube | None = None
    observed: Observed | None = None
    rules: tuple[Mapping[str, Any], ...] | None = None
    strangers: Strangers | None = None


def prepare(leases: Sequence[Lease]) -> Callable[[Lease], Outcome]:
    """Read what is to be known of several pools at once: a controller of them, for the next moment."""
    read_at = time.monotonic()
    at_hand = _read_ahead([lease.uid for lease in leases])

    def reconcile_one(lease: Lease) -> Outcome:
        fresh = time.monotonic() - read_at < FRESH_SECONDS
        return _reconcile(lease, at_hand[lease.uid] if fresh else _AtHand(read(lease.uid)))

    return reconcile_one


def reconcile_pool(lease: Lease) -> Outcome:
    """Bring one pool's objects to what is declared, and its status to what is."""
    return _reconcile(lease, _AtHand(read(lease.uid)))


def _read_ahead(uids: Sequence[UUID]) -> dict[UUID, _AtHand]:
    known = read_several(uids)
    found = {uid: _AtHand(known.get(uid)) for uid in uids}
    clusters = {one.cluster.uid: one.cluster for one in known.values() if one.cluster is not None}
    for cluster in clusters.values():
        pools = [one.pool for one in known.values() if one.pool.cluster_uid == cluster.uid]
        try:
            kube = kube_for(cluster)
            observed = observe_cached(kube, cluster.uid, pools)
            rules = rules_of(pools) if RULES_KIND in kube.resources() else {}
        except KubeError:
            continue  # each pool is told so by itself
        strangers = Strangers(kube, cluster.uid)
        for pool in pools:
            found[pool.uid] = _AtHand(known[pool.uid], kube, observed.get(pool.uid), rules.get(pool.uid, ()), strangers)
    return found


def _reconcile(lease: Lease, at_hand: _AtHand) -> Outcome:
    known = at_hand.known
    if known is None:
        return Done()
    pool, cluster = known.pool, known.cluster
    if cluster is None:
        sync = Sync("Unknown", "ClusterMissing", f"cluster {pool.spec['cluster']} is not declared any more")
        record(lease, pool, Report(sync, Health("Unknown", sync.reason, sync.message)))
        return Retry(sync.message)
    try:
        kube = at_hand.kube or kube_for(cluster)
        if pool.deletion_requested_at is not None:
            return delete_pool(lease, pool, kube, read_only=cluster_spec(cluster).read_only)
        return _bring(lease, known, cluster, kube, at_hand)
    except KubeError as error:
        return _failed(lease, pool, error)


def _bring(lease: Lease, known: Known, cluster: Cluster, kube: Kube, at_hand: _AtHand) -> Outcome:
    pool, standing = known.pool, known.standing
    observed = at_hand.observed or observe(kube, pool)
    if standing.spec is None:
        nothing_yet = approvals.waits(lease, pool, standing, cluster, kube, observed)
        report = _report(kube, pool, selectors.spec_of(pool), None, observed, nothing_yet, [])
        approved = approvals.condition(pool, standing, nothing_yet)
        return _settle(lease, known, replace(report, conditions=_present(approved)), observed)
    try:
        desired, todo = bringing.compare(known, standing.spec, cluster, kube, observed, at_hand.rules)
        if cluster_spec(cluster).read_only:
            report = _report(kube, pool, standing.spec, desired, observed, read_only(todo), [])
            return _settle(lease, known, report, observed)
        strangers = at_hand.strangers if observed.cached else None
        brought = bringing.carry(lease, known, standing.spec, kube, desired, todo, observed, strangers)
    except PlanRefused as refused:
        sync = Sync("OutOfSync", refused.reason, str(refused))
        record(lease, pool, _report(kube, pool, standing.spec, None, observed, sync, []))
        return Done(requeue_after=REFUSED_SECONDS)
    waits = approvals.waits(lease, pool, standing, cluster, kube, brought.observed) if standing.waiting else None
    report = _report_of(kube, pool, standing, brought, waits)
    if brought.blocked is not None:
        record(lease, pool, report)
        return Retry(brought.blocked.message)
    if known.consents is not None:
        # that a plan is carried out is said after what came of it
        if not record(lease, pool, report, known.stored):
            return Superseded()
        services.plan_carried_out(lease, pool)
    return _settle(lease, known, report, brought.observed, *brought.again)


def _report_of(kube: Kube, pool: Pool, standing: Standing, brought: Brought, waits: Sync | None) -> Report:
    """What is to be said after a look that came to its end. `waits`: for whose word the newest spec waits."""
    assert standing.spec is not None
    desired, held = brought.desired, brought.prefetch.sync
    if waits is None and brought.late:
        waits = Sync("OutOfSync", "WaitsForItsTurn", "engines change when it is the pool's turn on shared accelerators")
    as_declared = Sync("Synced", "Applied", f"{len(desired.objects)} objects are as declared")
    sync = brought.blocked or waits or held or brought.drift.sync() or as_declared
    report = _report(
        kube, pool, standing.spec, desired, brought.observed, sync, brought.notes, brought.owners, brought.stood.asleep
    )
    conditions = _present(
        approvals.condition(pool, standing, waits),
        brought.drift.condition(pool),
        brought.owners.condition(pool),
        brought.stood.condition,
        brought.prefetch.condition(pool),
    )
    return replace(
        report,
        conditions=conditions,
        status=_beside(pool, brought),
        # while weights are fetched none has begun: what runs is of the spec before
        rollout=report.rollout if held is None else None,
        # of the spec that is live, not of the one that waits
        rendered_hash=report.rendered_hash if waits is None else "",
    )


def _beside(pool: Pool, brought: Brought) -> dict[str, Any]:
    """What the status keeps beside sync and health: what was applied, drift, owners of replicas, weights."""
    prefetch = brought.prefetch
    applied = brought.blocked is None and prefetch.sync is None
    kept: dict[str, Any] = {"appliedHash": brought.desired.rendered_hash} if applied else {}
    for name, value in (("drift", brought.drift.status()), ("replicasOwner", dict(brought.owners.remembered))):
        if value or name in pool.status:
            kept[name] = value
    if prefetch.weights.ready is not None:
        kept["weights"] = prefetch.weights.to_json()
    return kept


def _present(*conditions: Condition | None) -> tuple[Condition, ...]:
    return tuple(condition for condition in conditions if condition is not None)


def _report(
    kube: Kube,
    pool: Pool,
    spec: PoolSpec,
    desired: Desired | None,
    observed: Observed,
    sync: Sync,
    notes: list[Note],
    owners: Owners | None = None,
    asleep: Mapping[str, int] = MappingProxyType({}),
) -> Report:
    deployments = observed.engine_deployments()
    # of a pool that takes turns on accelerators it is what may stand now, and not what is wanted
    of_all = desired.replicas if desired is not None and not shares(spec) else None
    counts = of_all if of_all is not None else tiers_and_replicas(pool, spec)[1]
    external = spec.autoscaling.mode == "external"
    variants: list[VariantState] = []
    tried = on_trial(observed.live)
    for variant in spec.variants:
        live = deployments.get(variant.name)
        wanted = counts[variant.name]
        theirs = owners is not None and live is not None and not owners.ours(live["metadata"]["name"])
        if (external or theirs) and live is not None:
            wanted = int(live["spec"].get("replicas", 1))
        variants.append(
            variant_state(
                variant.name,
                variant.accelerator,
                variant.accelerators_per_replica,
                wanted,
                live,
                observed.pods,
                on_trial=tried.get(variant.name, 0),
                asleep=asleep.get(variant.name, 0),
            )
        )
    if shares(spec):
        # sleepers on further sets of accelerators stand beside the one that is asked for
        variants = [replace(state, desired=max(state.desired, state.ready)) for state in variants]
    health = health_of(variants, deployments, observed.picker(), observed.pods, clock.now())
    found = rollouts.look(kube, pool, spec, desired, observed) if desired and deployments else None
    return Report(
        sync=sync,
        health=_with_last_words(kube, pool, health),
        variants=tuple(variants),
        endpoint=endpoint_of(pool, observed),
        served_name=desired.served_name if desired else None,
        rendered_hash=desired.declared_hash if desired else "",
        notes=tuple(notes),
        rollout=found,
    )


def endpoint_of(pool: Pool, observed: Observed) -> str | None:
    """The pool's address inside its cluster."""
    service = observed.object("Service", pool.name)
    address = str(((service or {}).get("spec") or {}).get("clusterIP") or "")
    if address in ("", "None"):
        return None
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{FRONT_PORT}"


def _with_last_words(kube: Kube, pool: Pool, health: Health) -> Health:
    """Add the last line that a crashed container logged, which mostly says why."""
    pod = health.blamed
    if pod is None or not pod.crashed or not pod.container:
        return health
    previous = pod.reason == "CrashLoopBackOff"
    try:
        text = kube.log_tail(pod.name, pool.namespace, pod.container, lines=3, previous=previous)
    except KubeError:
        return health
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        return health
    return replace(health, message=f'{health.message}; it last said: "{lines[-1][:300]}"')


def _settle(lease: Lease, known: Known, report: Report, observed: Observed, *again: float | None) -> Outcome:
    """When to look again (`again`: seconds, where something waits for its time), and what is to be stored with that."""
    outcome = _next_look(report, observed)
    again = (*again, looked_at_due(observed.pods, clock.now()))
    times = [seconds for seconds in (*again, outcome.requeue_after) if seconds is not None]
    outcome = Done(requeue_after=min(times), priority=outcome.priority)
    said = news(known.pool, report, known.stored)
    return outcome if said is None else Told(outcome, said)


def _next_look(report: Report, observed: Observed) -> Done:
    if report.rollout is not None and report.rollout.to_render:
        # what was decided is rendered by the next look: at once
        return Done(requeue_after=0.0, priority=Priority.ROLLOUT)
    if observed.cached and not _due_by_the_clock(report):
        return Done(requeue_after=RESYNC_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  (jitter)
    if report.health.state in ("Progressing", "Missing"):
        return Done(requeue_after=MOVING_SECONDS, priority=Priority.ROLLOUT)
    return Done(requeue_after=DEGRADED_SECONDS if report.health.state == "Degraded" else STEADY_SECONDS)


_UNSEEN = Health("Unknown", "NotSeen", "what the pool has in the cluster has not been looked at yet")


def _due_by_the_clock(report: Report) -> bool:
    """Whether time alone may change what is to be said: the last words of a container come without an event."""
    blamed = report.health.blamed
    return blamed is not None and blamed.crashed


def _failed(lease: Lease, pool: Pool, error: KubeError) -> Outcome:
    """Say in the pool's conditions what the cluster said, keep what is known of its replicas, and try again."""
    if isinstance(error, Conflict) and not isinstance(error, FieldManagerConflict) and lease.attempts <= QUIET_TRIES:
        # decided on what had changed by then; the next look decides on what is
        return Retry(str(error), after=1.0)
    if pool.deletion_requested_at is not None:
        return _deletion_failed(lease, pool, error)
    sync = refused_by(error)
    if isinstance(error, Unreachable):
        record(lease, pool, Report(sync, Health("Unknown", sync.reason, sync.message)))
        return Retry(str(error), shard_fault=True)
    held = pool.status.get("health", "Unknown")
    healthy = next((c for c in pool.conditions if c["type"] == "Healthy"), None)
    health = Health(held, healthy["reason"], healthy["message"]) if healthy else _UNSEEN
    record(lease, pool, Report(sync, health))
    return Retry(sync.message, after=error.retry_after if isinstance(error, Throttled) else None)


def _deletion_failed(lease: Lease, pool: Pool, error: KubeError) -> Outcome:
    sync = deletion_waits(pool, error)
    record(lease, pool, going(sync))
    after = error.retry_after if isinstance(error, Throttled) else None
    return Retry(sync.message, after=after, shard_fault=isinstance(error, Unreachable))
