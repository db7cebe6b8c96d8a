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
from apps.core.domain.conditions import Condition
from apps.pools import approvals, drifting, prefetching, rollouts, selectors, services, sharing, standby, victims
from apps.pools.actions import carry_out, refuse_foreign, settle_replicas
from apps.pools.deletion import delete_pool
from apps.pools.desired import RULES_KIND, Desired, desired_of, gather
from apps.pools.domain import weights
from apps.pools.domain.health import Health, Sync, VariantState, health_of, variant_state
from apps.pools.domain.manifests import VARIANT, WORKLOADS, Manifest, PlanRefused
from apps.pools.domain.picker import FRONT_PORT
from apps.pools.domain.plan import address_of, plan
from apps.pools.domain.sharing import is_engine, shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.canary import on_trial
from apps.pools.models import Pool
from apps.pools.observing import Observed, observe, observe_cached
from apps.pools.ownership import Owners, owners_of
from apps.pools.reading import Known, read, read_several
from apps.pools.recording import Note, Report, news, record
from apps.pools.rules import rules_of
from apps.pools.strangers import Strangers
from apps.pools.telling import in_the_way, notes_of, read_only, refused_by
from apps.reconcile import services as reconcile
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
    """What was read of a pool before, with others. `observed`, `rules` None: to be read where needed."""

    known: Known | None
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
            found[pool.uid] = _AtHand(known[pool.uid], observed.get(pool.uid), rules.get(pool.uid, ()), strangers)
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
        kube = kube_for(cluster)
        if pool.deletion_requested_at is not None:
            return delete_pool(lease, pool, kube, read_only=cluster_spec(cluster).read_only)
        return _bring(lease, known, cluster, kube, at_hand)
    except KubeError as error:
        return _failed(lease, pool, error)


def _bring(lease: Lease, known: Known, cluster: Cluster, kube: Kube, at_hand: _AtHand) -> Outcome:
    pool, standing = known.pool, known.standing
    fence = reconcile.Fence(lease)
    observed = at_hand.observed or observe(kube, pool)
    if standing.spec is None:
        nothing_yet = approvals.waits(lease, pool, standing, cluster, kube, observed)
        report = _report(kube, pool, selectors.spec_of(pool), None, observed, nothing_yet, [])
        approved = approvals.condition(pool, standing, nothing_yet)
        return _settle(lease, known, replace(report, conditions=_present(approved)), observed)
    spec = standing.spec
    try:
        desired = _desired(known, spec, cluster, kube, at_hand.rules)
        todo = plan(desired.objects, observed.live)
        # what somebody else rolls out is drift, and no roll-out of ours to steer
        ours = not any(write.why == "drift" and write.manifest["kind"] in WORKLOADS for write in todo.writes)
        steers = ours and not cluster_spec(cluster).read_only and not shares(spec)
        if steers and rollouts.steered(pool, spec, cluster, desired, observed):
            desired = _desired(known, spec, cluster, kube, at_hand.rules)
            todo = plan(desired.objects, observed.live)
        if cluster_spec(cluster).read_only:
            report = _report(kube, pool, spec, desired, observed, read_only(todo), [])
            return _settle(lease, known, report, observed)
        share = None
        if shares(spec):
            share, desired, todo = sharing.in_turn(kube, pool, spec, desired, observed, fence)
        consents = known.consents
        live = {address_of(obj): obj for obj in observed.live}
        drift = drifting.look(pool, spec, desired, todo, live, consents)
        drifting.remember(lease, pool, drift)
        prefetch = prefetching.look(kube, pool, desired, observed, fence)
        if prefetch.weights.holds:
            drift = replace(drift, todo=weights.waiting(drift.todo))
        if drift.todo.writes:
            adopted = refuse_foreign(kube, pool, drift.todo.writes, at_hand.strangers if observed.cached else None)
            observed = replace(observed, live=[*observed.live, *adopted])
            live |= {address_of(obj): obj for obj in adopted}
        external = spec.autoscaling.mode == "external"
        owners = owners_of(kube, pool, desired, live, selectors.replica_targets(pool), external=external)
        observed, notes, blocked = _act(kube, pool, desired, drift, observed, fence, consents, owners)
        if share is not None:
            share.kept()
        stood = standby.settle(kube, pool, spec, observed, fence, share)
        notes += stood.notes
    except PlanRefused as refused:
        sync = Sync("OutOfSync", refused.reason, str(refused))
        report = _report(kube, pool, spec, None, observed, sync, [])
        record(lease, pool, report)
        return Done(requeue_after=REFUSED_SECONDS)
    waits = approvals.waits(lease, pool, standing, cluster, kube, observed) if standing.waiting else None
    drifted = drift.sync()
    held = prefetch.sync
    if share is not None and share.late and waits is None:
        waits = Sync("OutOfSync", "WaitsForItsTurn", "engines change when it is the pool's turn on shared accelerators")
    beside = _beside(pool, desired, drift, owners, applied=blocked is None and held is None)
    if prefetch.weights.ready is not None:
        beside["weights"] = prefetch.weights.to_json()
    conditions = _present(approvals.condition(pool, standing, waits), drift.condition(pool), owners.condition(pool))
    conditions += _present(stood.condition, prefetch.condition(pool))
    sync = (
        blocked
        or waits
        or held
        or drifted
        or Sync("Synced", "Applied", f"{len(desired.objects)} objects are as declared")
    )
    report = _report(kube, pool, spec, desired, observed, sync, notes, owners, stood.asleep)
    report = replace(report, conditions=conditions, status=beside)
    if held is not None:
        report = replace(report, rollout=None)  # none has begun: what runs is of the spec before
    if waits is not None:
        report = replace(report, rendered_hash="")  # of the spec that is live, not of the one that waits
    if blocked is not None:
        record(lease, pool, report)
        return Retry(blocked.message)
    if consents is not None:
        # that a plan is carried out is said after what came of it
        if not record(lease, pool, report, known.stored):
            return Superseded()
        services.plan_carried_out(lease, pool)
    return _settle(lease, known, report, observed, drift.look_again(), stood.again, prefetch.again)


def _desired(
    known: Known, spec: PoolSpec, cluster: Cluster, kube: Kube, rules: tuple[Mapping[str, Any], ...] | None
) -> Desired:
    kinds = kube.resources()
    generation = known.standing.generation
    found = gather(known.pool, spec, cluster, generation=generation, model=known.model, kinds=kinds, rules=rules)
    return desired_of(found, kinds)


def _beside(pool: Pool, desired: Desired, drift: drifting.Look, owners: Owners, *, applied: bool) -> dict[str, Any]:
    """What the status keeps beside sync and health: what was applied, drift, owners of replicas."""
    kept: dict[str, Any] = {"appliedHash": desired.rendered_hash} if applied else {}
    for name, value in (("drift", drift.status()), ("replicasOwner", dict(owners.remembered))):
        if value or name in pool.status:
            kept[name] = value
    return kept


def _present(*conditions: Condition | None) -> tuple[Condition, ...]:
    return tuple(condition for condition in conditions if condition is not None)


def _act(
    kube: Kube,
    pool: Pool,
    desired: Desired,
    drift: drifting.Look,
    observed: Observed,
    fence: reconcile.Fence,
    consents: frozenset[str] | None,
    owners: Owners,
) -> tuple[Observed, list[Note], Sync | None]:
    """Write what differs. Returns the objects as they are then, what to put on the timeline, and what is in the way."""
    todo = drift.todo
    live = {address_of(obj): obj for obj in observed.live}
    recreate = "recreate" in (consents or ())
    carried = carry_out(kube, pool, todo, live, fence, hands=drift.hands, recreate=recreate)
    live |= carried.written
    notes = notes_of(todo, drift.right, carried)
    for manifest in desired.objects:
        variant = manifest["metadata"]["labels"].get(VARIANT)
        name = f"{manifest['kind']}/{manifest['metadata']['name']}"
        if manifest["kind"] not in WORKLOADS or name not in live or name in carried.immutable:
            continue
        wanted = desired.replicas[variant] if variant else int(manifest["spec"]["replicas"])
        was = int(live[name]["spec"].get("replicas", 1))
        theirs = not owners.ours(manifest["metadata"]["name"])
        # which group of a LeaderWorkerSet goes is not ours to say: it is always the last one
        if variant and not theirs and wanted < was and manifest["kind"] == "Deployment":
            victims.mark(kube, pool, [pod for pod in observed.pods if pod.variant == variant], fence)
        changed = settle_replicas(kube, manifest, live[name], wanted, fence, external=theirs)
        if changed is not None:
            live[name] = changed
            if int(changed["spec"].get("replicas", 1)) != was:
                what = variant or _beside_variants(manifest)
                notes.append(Note("Normal", "Scaled", f"{what}: {was} → {wanted} replicas"))
    gone = {(obj["kind"], obj["metadata"]["name"]) for obj in todo.orphans}
    left = [obj for obj in live.values() if (obj["kind"], obj["metadata"]["name"]) not in gone]
    return replace(observed, live=left), notes, in_the_way(pool, carried)


def _beside_variants(manifest: Manifest) -> str:
    """What people call a workload that is no variant's own."""
    return manifest["metadata"]["name"] if is_engine(manifest) else "endpoint picker"


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
    targets = selectors.replica_targets(pool)
    external = spec.autoscaling.mode == "external"
    variants: list[VariantState] = []
    tried = on_trial(observed.live)
    for variant in spec.variants:
        live = deployments.get(variant.name)
        wanted = selectors.pods_wanted(variant, targets.get(variant.name))
        if shares(spec):
            wanted = min(wanted, 1)
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
    health = health_of(variants, deployments, observed.picker(), observed.pods)
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
    times = [seconds for seconds in (*again, outcome.requeue_after) if seconds is not None]
    outcome = replace(outcome, requeue_after=min(times))
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


def _due_by_the_clock(report: Report) -> bool:
    """Whether time alone may change what is to be said: the last words of a container come without an event."""
    blamed = report.health.blamed
    return blamed is not None and blamed.crashed


def _failed(lease: Lease, pool: Pool, error: KubeError) -> Outcome:
    """Say in the pool's conditions what the cluster said, keep what is known of its replicas, and try again."""
    if isinstance(error, Conflict) and not isinstance(error, FieldManagerConflict) and lease.attempts <= QUIET_TRIES:
        # decided on what had changed by then; the next look decides on what is
        return Retry(str(error), after=1.0)
    sync = refused_by(error)
    if isinstance(error, Unreachable):
        record(lease, pool, Report(sync, Health("Unknown", sync.reason, sync.message)))
        return Retry(str(error), shard_fault=True)
    held = pool.status.get("health", "Unknown")
    healthy = next((c for c in pool.conditions if c["type"] == "Healthy"), None)
    health = Health(held, healthy["reason"], healthy["message"]) if healthy else Health("Unknown", "NotSeen", "")
    record(lease, pool, Report(sync, health))
    return Retry(sync.message, after=error.retry_after if isinstance(error, Throttled) else None)
