"""Making a plan: what would become of a pool's objects, asked of its cluster by dry run. Nothing is written there."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.clusters.errors import (
    ClusterAway,
    Conflict,
    FieldManagerConflict,
    Forbidden,
    Invalid,
    KubeError,
    NotFound,
    NotServed,
    Throttled,
    Unreachable,
)
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core.representation import declaration
from apps.core.writes import Base
from apps.pools import selectors
from apps.pools.actions import allowed_managers, name_clash
from apps.pools.desired import Declared, Desired, desired_of, gather
from apps.pools.domain.adoption import adoptable
from apps.pools.domain.cost import Demand, cost_delta
from apps.pools.domain.drift import hand_edited
from apps.pools.domain.manifests import POOL_UID, VARIANT, WORKLOADS, Manifest, PlanRefused
from apps.pools.domain.plan import MANAGER, address_of, key_of, sendable
from apps.pools.domain.quotas import Limits, added_by, queue_faults, quota_faults
from apps.pools.domain.replaced import fetched_anew
from apps.pools.domain.review import Answered, Review, digest_of, review_objects, review_spec
from apps.pools.domain.sharing import Sharer, shares, sharing_sentence
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.budget import host_faults, node_memories
from apps.pools.domain.tiers.folders import weights_may_move
from apps.pools.domain.warnings import Surroundings, warnings_of
from apps.pools.models import Pool
from apps.pools.observing import owned_resources
from apps.pools.selecting import selected
from apps.pools.strangers import foreign

# a plan is made while somebody waits for it
DEADLINE_SECONDS = 25.0


@dataclass(frozen=True)
class Prospect:
    """A pool as it would be, with all that a plan of it needs from the database.

    `base` None: it is a new pool; a base with an empty declaration: nothing of it has gone live yet.

    `spec_before`: what its cluster is to hold now. `sharing`: with whom it shares accelerators, as a sentence.
    `theirs`: workloads whose replicas somebody else writes, as the pool's condition says.
    """

    pool: Pool
    cluster: Cluster
    declared: Declared
    document: dict[str, Any]
    base: Base | None
    spec_before: PoolSpec | None
    external: bool
    sharing: str = ""
    theirs: frozenset[str] = frozenset()

    @property
    def annotations(self) -> Mapping[str, str]:
        return dict(self.document["annotations"])


@dataclass(frozen=True)
class Made:
    """A review, and on what it was made: `rendered_hash` and the live objects' fingerprints."""

    review: Review
    rendered_hash: str
    objects: list[dict[str, Any]]


def prospect_of(pool: Pool, spec: PoolSpec, base: Base | None) -> Prospect:
    """Read everything that a plan needs; call it in the transaction in which the pool is as it would be."""
    cluster = selectors.cluster_of(pool)
    if cluster is None:
        raise ClusterAway(f"The cluster of {pool.key} is not declared any more.")
    return Prospect(
        pool=pool,
        cluster=cluster,
        declared=gather(pool, spec, cluster),
        document=dict(declaration(pool)),
        base=base,
        spec_before=PoolSpec.from_document(base.declaration["spec"]) if base is not None and base.declaration else None,
        external=spec.autoscaling.mode == "external",
        sharing=_sharing(pool, spec, cluster),
        theirs=frozenset(
            name
            for name, row in (pool.status.get("replicasOwner") or {}).items()
            if row and row.get("owner") != "lamplight" and not row.get("takenBack")
        ),
    )


def _sharing(pool: Pool, spec: PoolSpec, cluster: Cluster) -> str:
    if not shares(spec):
        return ""
    others = selectors.sharers(cluster, pool.team, spec, but=pool)
    return sharing_sentence(Sharer(pool.name, spec), [other.name for other in others])


def make_plan(prospect: Prospect) -> Made:
    """Render, ask the cluster, compare. Raises PlanRefused (an invariant is broken), ClusterAway."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    pool = prospect.pool
    try:
        kube = kube_for(prospect.cluster)
        desired = desired_of(prospect.declared, kube.resources())
        live = live_objects(kube, pool) if prospect.base is not None else {}
        answers = []
        for manifest in desired.objects:
            if time.monotonic() > deadline:
                raise Unreachable(f"it did not answer all questions within {DEADLINE_SECONDS:.0f} s")
            answers.append(
                _ask(kube, pool, manifest, live.get(address_of(manifest)), allowed_managers(prospect.annotations))
            )
        missing = not live and not _namespace_there(kube, pool.namespace)
        selection = "" if missing else _selection(kube, pool, desired.objects)
        limits = Limits() if missing else _limits(kube, pool)
        memory = _memory(kube, pool, prospect.declared)
    except KubeError as error:
        raise ClusterAway(f"The cluster of {pool.key} cannot be asked what would change: {error}.") from error
    rendered = {address_of(manifest) for manifest in desired.objects}
    orphans = [obj for at, obj in live.items() if at not in rendered and not obj["metadata"].get("deletionTimestamp")]
    return Made(
        review=_review(
            prospect,
            desired,
            live,
            answers,
            orphans,
            namespace_missing=missing,
            selection=selection,
            limits=limits,
            memory=memory,
        ),
        rendered_hash=desired.declared_hash,
        objects=[fingerprint(obj) for obj in live.values()],
    )


def live_objects(kube: Kube, pool: Pool) -> dict[str, Manifest]:
    """The pool's objects by `Kind/name`, read from the cluster itself. Raises KubeError."""
    labels = {POOL_UID: str(pool.uid)}
    found = [obj for resource in owned_resources(kube) for obj in kube.list(resource, pool.namespace, labels=labels)]
    return {address_of(obj): obj for obj in sorted(found, key=key_of)}


def fingerprint(obj: Manifest) -> dict[str, Any]:
    """By what a later look tells whether an object has moved."""
    metadata = obj["metadata"]
    return {
        "kind": obj["kind"],
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "resourceVersion": metadata.get("resourceVersion"),
        "digest": digest_of(obj),
    }


def _review(
    prospect: Prospect,
    desired: Desired,
    live: Mapping[str, Manifest],
    answers: Sequence[Answered],
    orphans: Sequence[Manifest],
    *,
    namespace_missing: bool,
    selection: str,
    limits: Limits,
    memory: Sequence[str],
) -> Review:
    spec = prospect.declared.spec
    replicas: dict[str, tuple[int, int]] = {}
    after: list[Demand] = []
    added: dict[str, float] = {}
    held = {v: int(o["spec"].get("replicas", 1)) for o in live.values() if (v := _variant_of(o)) is not None}
    # what is adopted runs already, and is known by the variant that it becomes
    held |= {
        v: int(a.live["spec"].get("replicas", 1))
        for a in answers
        if a.live is not None and not a.reason and (v := _variant_of(a.rendered)) is not None
    }
    deployments = {m["metadata"]["labels"][VARIANT]: m for m in desired.objects if _variant_of(m) is not None}
    for variant in spec.variants:
        wanted = desired.replicas[variant.name]
        if variant.name in held:
            theirs = prospect.external or deployments[variant.name]["metadata"]["name"] in prospect.theirs
            wanted = held[variant.name] if theirs else wanted
            replicas[address_of(deployments[variant.name])] = (held[variant.name], wanted)
        after.append(_demand(spec, variant.name, wanted))
        for resource, needed in added_by(deployments[variant.name], wanted - held.get(variant.name, 0)).items():
            added[resource] = added.get(resource, 0.0) + needed
    before_spec = prospect.spec_before
    was = before_spec or spec
    before = [_demand(was, v.name, held.get(v.name, 0)) for v in was.variants]
    objects = review_objects(answers, orphans, replicas)
    cost = cost_delta(before, after, selectors.prices_of(prospect.cluster))
    provisioning = cluster_spec(prospect.cluster).provisioning
    around = Surroundings(
        free=selectors.free_accelerators(prospect.cluster),
        namespace_missing=namespace_missing,
        read_only=cluster_spec(prospect.cluster).read_only,
        selection=selection,
        bounds=(*quota_faults(added, limits.quotas, spec.namespace), *queue_faults(spec, limits.queues), *memory),
        provisioning=provisioning.total_seconds() if provisioning is not None else None,
        sharing=prospect.sharing,
        weights=weights_may_move(spec, prospect.declared.model),
        fetches=_fetches(prospect, answers),
    )
    return Review(
        spec=review_spec((prospect.base.declaration or None) if prospect.base else None, prospect.document),
        objects=objects,
        cost=cost,
        warnings=warnings_of(spec, objects, cost, around),
    )


def _fetches(prospect: Prospect, answers: Sequence[Answered]) -> tuple[str, ...]:
    model = prospect.declared.model
    if model is None or not model.source.startswith("hf://"):
        return ()
    both = [
        (a.live, a.after) for a in answers if a.live is not None and a.after is not None and _variant_of(a.rendered)
    ]
    return tuple(said for live, after in both if (said := fetched_anew(live, after)) is not None)


def _selection(kube: Kube, pool: Pool, objects: Sequence[Manifest]) -> str:
    """What is wrong about the pods that the pool would catch; nothing where they may not be seen."""
    try:
        return selected(kube, pool, objects).fault
    except (Forbidden, NotFound, NotServed):
        return ""


def _limits(kube: Kube, pool: Pool) -> Limits:
    """Quotas and queues of the namespace, as far as they may be seen."""
    kinds = kube.resources()
    quota, queue = kinds.get("ResourceQuota."), kinds.get("LocalQueue.kueue.x-k8s.io")
    found: dict[str, list[Manifest]] = {}
    for name, resource in (("quotas", quota), ("queues", queue)):
        try:
            found[name] = kube.list(resource, pool.namespace) if resource is not None else []
        except (Forbidden, NotFound, NotServed):
            return Limits()
    return Limits(found["quotas"], found["queues"] if queue is not None else None)


def _memory(kube: Kube, pool: Pool, declared: Declared) -> list[str]:
    """What the nodes have no room for, as far as they may be seen."""
    spec = declared.spec
    if spec.offload.mode != "fixed" or all(tier.kind != "host" for tier in spec.offload.tiers):
        return []
    try:
        nodes, pods = kube.list(kube.resource("Node")), kube.list(kube.resource("Pod"))
    except (Forbidden, NotFound, NotServed):
        return []
    found = {}
    for variant in spec.variants:
        facts = selectors.accelerators().get(variant.accelerator)
        found[variant.name] = node_memories(
            nodes,
            pods,
            pool=str(pool.uid),
            resource=facts.resource if facts is not None else None,
            selector=facts.node_selector if facts is not None else {},
        )
    shape = declared.model.shape if declared.model is not None else None
    return host_faults(spec, found, shape.parameters if shape is not None else None)


def _demand(spec: PoolSpec, name: str, replicas: int) -> Demand:
    variant = spec.variant(name)
    assert variant is not None
    facts = selectors.accelerators().get(variant.accelerator)
    return Demand(
        variant=name,
        accelerator=variant.accelerator,
        per_replica=variant.parallelism.accelerators,
        replicas=replicas,
        counted=facts is None or facts.resource is not None,
    )


def _ask(kube: Kube, pool: Pool, manifest: Manifest, live: Manifest | None, allowed: frozenset[str]) -> Answered:
    """One dry run. Raises Unreachable and Throttled only; what the server refuses is part of the answer."""
    try:
        if live is None and (held := foreign(kube, pool, manifest)) is not None:
            if not adoptable(held, allowed):
                return Answered(manifest, held, reason="NameClash", refusal=name_clash(manifest))
            live = held
    except NotServed as missing:
        return Answered(manifest, live, reason="KindMissing", refusal=str(missing))
    except Forbidden as refused:
        return Answered(manifest, live, reason="Forbidden", refusal=str(refused))
    body = sendable(manifest, live)
    try:
        return Answered(manifest, live, after=kube.apply(body, manager=MANAGER, dry_run=True))
    except FieldManagerConflict as conflict:
        return _forced(kube, manifest, body, live, conflict, allowed)
    except Invalid as refused:
        return Answered(manifest, live, refusal=str(refused))
    except (NotFound, NotServed) as missing:
        if live is None and isinstance(missing, NotFound):
            return Answered(manifest, None)  # its namespace is not there yet: nothing to ask
        return Answered(manifest, live, reason="KindMissing", refusal=str(missing))
    except (Forbidden, Conflict) as refused:
        return Answered(manifest, live, reason=type(refused).__name__, refusal=str(refused))
    except (Unreachable, Throttled):
        raise
    except KubeError as fault:
        return Answered(manifest, live, reason="ServerFault", refusal=str(fault))


def _forced(
    kube: Kube,
    manifest: Manifest,
    body: Manifest,
    live: Manifest | None,
    conflict: FieldManagerConflict,
    allowed: frozenset[str],
) -> Answered:
    """What would be there if the fields were taken over, so that people see what they would consent to."""
    # applying a plan is the word of a person against edits by hand; a claim by another apply needs more
    consent = conflict.owned.keys() <= allowed or hand_edited(live or {}, conflict.owned)
    try:
        after = kube.apply(body, manager=MANAGER, dry_run=True, force=True)
    except Invalid as refused:
        return Answered(manifest, live, conflicts=conflict.owned, allowed=consent, refusal=str(refused))
    return Answered(manifest, live, after=after, conflicts=conflict.owned, allowed=consent)


def _namespace_there(kube: Kube, namespace: str) -> bool:
    try:
        kube.get(kube.resource("Namespace"), namespace)
    except NotFound:
        return False
    except KubeError:
        return True  # not to be seen is not missing
    return True


def _variant_of(obj: Manifest) -> str | None:
    return (obj["metadata"].get("labels") or {}).get(VARIANT) if obj["kind"] in WORKLOADS else None


__all__ = ["Made", "PlanRefused", "Prospect", "fingerprint", "live_objects", "make_plan", "prospect_of"]
