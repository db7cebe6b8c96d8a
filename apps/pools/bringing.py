"""Bringing a cluster to what a pool should be: render, compare, write what differs. Safe to stop anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of as cluster_spec
from apps.pools import drifting, prefetching, rollouts, selectors, sharing, standby, victims
from apps.pools.actions import carry_out, refuse_foreign, settle_replicas
from apps.pools.desired import Desired, desired_of, gather
from apps.pools.domain import weights
from apps.pools.domain.health import Sync
from apps.pools.domain.manifests import VARIANT, WORKLOADS, Manifest
from apps.pools.domain.plan import Plan, address_of, plan
from apps.pools.domain.sharing import is_engine, shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.pools.observing import Observed
from apps.pools.ownership import Owners, owners_of
from apps.pools.reading import Known
from apps.pools.recording import Note
from apps.pools.strangers import Strangers
from apps.pools.telling import in_the_way, notes_of
from apps.reconcile import services as reconcile
from apps.reconcile.queue import Lease

__all__ = ["Brought", "carry", "compare"]

Rules = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Brought:
    """What a look has come to. `observed`: the objects as they are now; `blocked`: what kept it from being done."""

    desired: Desired
    observed: Observed
    drift: drifting.Look
    owners: Owners
    prefetch: prefetching.Prefetch
    stood: standby.Stood
    notes: list[Note]
    blocked: Sync | None
    # engines change when it is the pool's turn on accelerators that it shares
    late: bool

    @property
    def again(self) -> tuple[float | None, ...]:
        """In how many seconds something may be done that waits for its time; None: nothing does."""
        return (self.drift.look_again(), self.stood.again, self.prefetch.again)


def compare(
    known: Known, spec: PoolSpec, cluster: Cluster, kube: Kube, observed: Observed, rules: Rules | None
) -> tuple[Desired, Plan]:
    """What the pool should be, and what has to be done for that. Raises KubeError, PlanRefused."""
    desired = _desired(known, spec, cluster, kube, rules)
    todo = plan(desired.objects, observed.live)
    # what somebody else rolls out is drift, and no roll-out of ours to steer
    ours = not any(write.why == "drift" and write.manifest["kind"] in WORKLOADS for write in todo.writes)
    steers = ours and not cluster_spec(cluster).read_only and not shares(spec)
    if steers and rollouts.steered(known.pool, spec, cluster, desired, observed):
        desired = _desired(known, spec, cluster, kube, rules)
        todo = plan(desired.objects, observed.live)
    return desired, todo


def carry(
    lease: Lease,
    known: Known,
    spec: PoolSpec,
    kube: Kube,
    desired: Desired,
    todo: Plan,
    observed: Observed,
    strangers: Strangers | None,
) -> Brought:
    """Do what has to be done, as far as it may be done now. Raises KubeError, PlanRefused, LeaseLost."""
    pool, fence = known.pool, reconcile.Fence(lease)
    share = None
    if shares(spec):
        share, desired, todo = sharing.in_turn(kube, pool, spec, desired, observed, fence)
    live = {address_of(obj): obj for obj in observed.live}
    drift = drifting.look(pool, spec, desired, todo, live, known.consents)
    drifting.remember(lease, pool, drift)
    prefetch = prefetching.look(kube, pool, desired, observed, fence)
    if prefetch.weights.holds:
        drift = replace(drift, todo=weights.waiting(drift.todo))
    if drift.todo.writes:
        adopted = refuse_foreign(kube, pool, drift.todo.writes, strangers)
        if adopted:
            observed = replace(observed, live=[*observed.live, *adopted])
            live |= {address_of(obj): obj for obj in adopted}
    external = spec.autoscaling.mode == "external"
    owners = owners_of(kube, pool, desired, live, selectors.replica_targets(pool), external=external)
    observed, notes, blocked = _act(kube, pool, desired, drift, observed, fence, known.consents, owners)
    if share is not None:
        share.kept()
    stood = standby.settle(kube, pool, spec, observed, fence, share)
    late = share is not None and share.late
    return Brought(desired, observed, drift, owners, prefetch, stood, [*notes, *stood.notes], blocked, late)


def _desired(known: Known, spec: PoolSpec, cluster: Cluster, kube: Kube, rules: Rules | None) -> Desired:
    kinds = kube.resources()
    generation = known.standing.generation
    found = gather(known.pool, spec, cluster, generation=generation, model=known.model, kinds=kinds, rules=rules)
    return desired_of(found, kinds)


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
    now = Observed(left, observed.pods, observed.replica_sets, observed.cached)
    return now, notes, in_the_way(pool, carried)


def _beside_variants(manifest: Manifest) -> str:
    """What people call a workload that is no variant's own."""
    return manifest["metadata"]["name"] if is_engine(manifest) else "endpoint picker"
