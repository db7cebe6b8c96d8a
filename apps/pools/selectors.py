"""Reads of the pools room."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from apps.catalog.domain.accelerators import accelerators as catalogue
from apps.catalog.domain.model import Shape as ShapeSpec
from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core.domain.access import SHARED_TEAM
from apps.core.domain.units import HourlyPrice
from apps.core.kinds import find_reference
from apps.pools.domain.manifests import AcceleratorFacts, AdapterFacts, ModelFacts
from apps.pools.domain.sharing import Hosts, Sharer
from apps.pools.domain.spec import PoolSpec, Variant
from apps.pools.domain.tiers.plan import TierPlan
from apps.pools.domain.validation import Offer, Shape, object_names, owners_of
from apps.pools.models import Pool, PoolRevision, ReplicaTarget, Rollout, TierPlanRow


def spec_of(pool: Pool) -> PoolSpec:
    return read_spec(pool.spec)


def read_spec(stored: Mapping[str, Any]) -> PoolSpec:
    """A spec as it is stored. Specs are frozen, so each is read once for all looks at pools that have it."""
    return _read_spec(orjson.dumps(stored))


# as many as one process looks at between two changes of a spec, where they all differ: some 10 kB each
@functools.lru_cache(maxsize=1024)
def _read_spec(stored: bytes) -> PoolSpec:
    return PoolSpec.from_document(orjson.loads(stored))


def cluster_of(pool: Pool) -> Cluster | None:
    """The cluster that the pool is bound to."""
    if pool.cluster_uid is None:
        return None
    found: Cluster | None = Cluster.objects.filter(uid=pool.cluster_uid).first()
    return found


def cluster_named(team: str, name: str) -> Cluster:
    found: Cluster | None = find_reference("Cluster", team, name)
    if found is None:
        raise LookupError(f"there is no Cluster named {name} for team {team}")
    return found


@dataclass(frozen=True)
class Standing:
    """Which spec the cluster is to hold. `spec` None: none has been approved yet. `waiting`: the newest one waits."""

    spec: PoolSpec | None
    generation: int
    waiting: bool


def standing_of(pool: Pool) -> Standing:
    """The newest approved spec of a pool, and whether a newer one waits."""
    newest = approved_revision(pool)
    if newest is None:
        # a pool of before there were revisions has none at all, and nothing to wait for
        waiting = pool.revisions.exists()
        return Standing(None if waiting else spec_of(pool), pool.generation, waiting)
    if newest.generation == pool.generation:
        return Standing(spec_of(pool), pool.generation, False)
    return Standing(PoolSpec.from_document(newest.spec), newest.generation, True)


def approved_revision(pool: Pool) -> PoolRevision | None:
    found: PoolRevision | None = pool.revisions.exclude(approved_at=None).order_by("-generation").first()
    return found


def model_of(pool: Pool, spec: PoolSpec | None = None) -> Any | None:
    """The Model object that the pool's spec (or another one of it) names, or None."""
    return find_reference("Model", pool.team, spec.model if spec is not None else pool.spec["model"])


def prices_of(cluster: Cluster) -> dict[str, HourlyPrice]:
    """Price of one accelerator by name: the cluster's own, else the catalogue's; one without a price is left out."""
    listed = {name: row.price for name, row in catalogue().items() if row.price is not None}
    return {**listed, **cluster_spec(cluster).prices}


def model_facts(model: Any) -> ModelFacts:
    spec = model.spec
    return ModelFacts(
        name=model.name,
        source=spec["source"],
        served_name=spec.get("servedName") or model.name,
        revision=spec.get("revision"),
        shape=ShapeSpec.from_document(spec["shape"]) if spec.get("shape") else None,
        adapters=tuple(
            AdapterFacts(row["name"], row["source"], row.get("rank")) for row in spec.get("loraAdapters") or ()
        ),
        token=(token["name"], token.get("key", "HF_TOKEN")) if (token := spec.get("tokenSecret")) else None,
    )


def shape_of(model: Any | None) -> Shape:
    shape = (model.spec.get("shape") or {}) if model is not None else {}
    return Shape(
        layers=shape.get("layers"),
        heads=shape.get("heads"),
        kv_heads=shape.get("kvHeads"),
        weight_bytes=ShapeSpec.from_document(shape).weight_bytes if shape else None,
    )


@functools.cache
def accelerators() -> Mapping[str, AcceleratorFacts]:
    """The accelerators of the catalogue, by name."""
    return {
        name: AcceleratorFacts(
            name=name,
            vendor=row.vendor,
            resource=row.resource,
            node_selector=dict(row.node_selector),
            title=row.title,
            memory=row.memory,
            family=row.family,
            variant=row.variant,
            device_class=row.device_class,
            topologies=row.topologies,
            env=row.env,
            args=row.args,
            fabrics=row.fabrics,
            sleep=row.sleep,
            taints=row.taints,
        )
        for name, row in catalogue().items()
    }


def offers(cluster: Cluster) -> dict[str, Offer | None] | None:
    """What the cluster was last seen to have of each accelerator; None when it has not been seen yet."""
    seen = cluster.status.get("accelerators")
    if seen is None:
        return None
    found: dict[str, Offer | None] = {}
    for name, facts in accelerators().items():
        if facts.resource is None:
            continue
        product = next(iter(facts.node_selector.values()), None)
        rows = [row for row in seen if row["resource"] == facts.resource and product in (None, row["product"])]
        found[name] = Offer(product or name, max(row["largestNode"] for row in rows)) if rows else None
    return found


def free_accelerators(cluster: Cluster) -> dict[str, int]:
    """Free accelerators by name as the cluster was last seen; one that has not been counted is left out."""
    seen = cluster.status.get("accelerators")
    found: dict[str, int] = {}
    for name, facts in accelerators().items() if seen is not None else ():
        if facts.resource is None:
            continue
        product = next(iter(facts.node_selector.values()), None)
        rows = [row for row in seen if row["resource"] == facts.resource and product in (None, row["product"])]
        found[name] = sum(int(row["free"]) for row in rows)
    return found


def holder_of(
    names: frozenset[str], cluster: Cluster, namespace: str, *, but: Any | None = None
) -> tuple[Pool, str] | None:
    """A pool with an object of one of these names there, being deleted or not, and that name; None: they are free."""
    rows = Pool.objects.filter(cluster_uid=cluster.uid, namespace=namespace, name__in=owners_of(names))
    for pool in rows.exclude(uid=but.uid) if but is not None else rows:
        sets = int((pool.spec.get("autoscaling") or {}).get("sets", 1))
        taken = names & object_names(pool.name, [variant["name"] for variant in pool.spec["variants"]], sets)
        if taken:
            return pool, min(taken)
    return None


def sharers(cluster: Cluster, team: str, spec: PoolSpec, *, but: Any | None) -> list[Sharer]:
    """Living pools that take turns with one of this spec."""
    rows = Pool.objects.living().filter(
        team=team,
        cluster_uid=cluster.uid,
        namespace=spec.namespace,
        spec__autoscaling__standby="shared",
        spec__autoscaling__group=spec.autoscaling.group,
    )
    found = rows.exclude(uid=but.uid) if but is not None else rows
    return [Sharer(pool.name, spec_of(pool)) for pool in found.order_by("name")[:100]]


def hosts_of(cluster: Cluster, accelerator: str) -> Hosts | None:
    """The nodes with an accelerator, None where nobody has looked."""
    facts = accelerators().get(accelerator)
    if facts is None or facts.resource is None:
        return None
    product = next(iter(facts.node_selector.values()), None)
    rows = [
        row
        for row in cluster.status.get("accelerators") or ()
        if row["resource"] == facts.resource and product in (None, row["product"]) and row.get("nodeMemory")
    ]
    if not rows:
        return None
    return Hosts(
        nodes=sum(int(row["nodes"]) for row in rows),
        accelerators=max(int(row["largestNode"]) for row in rows),
        memory=max(int(row["nodeMemory"]) for row in rows),
    )


def rollout_of(pool: Pool) -> Rollout | None:
    """What is stored of a pool's roll-out, as it was when this instance of the pool was first asked."""
    try:
        return pool.rollout
    except Rollout.DoesNotExist:
        return None


def replica_targets(pool: Pool) -> dict[str, ReplicaTarget]:
    # where they have been read already, Django makes a class, a manager and a query only to hand them out
    held = getattr(pool, "_prefetched_objects_cache", {}).get("targets")
    return {target.variant: target for target in (pool.targets.all() if held is None else held)}


def tier_plan(pool: Pool) -> TierPlan | None:
    """What the offload loop last wanted, None before it wanted anything; as it was when this instance of the pool was
    first asked."""
    try:
        return TierPlan.from_json(pool.tier_plan.plan)
    except TierPlanRow.DoesNotExist:
        return None


def effective_replicas(variant: Variant, target: ReplicaTarget | None) -> int:
    """The target within the variant's bounds; the lower bound while nobody has set one."""
    return variant.replicas.clamp(target.desired if target is not None else variant.replicas.min)


def pods_wanted(variant: Variant, target: ReplicaTarget | None) -> int:
    """Replicas that are to be there, awake or asleep."""
    awake = effective_replicas(variant, target)
    return max(awake, min(awake + asleep_wanted(target), variant.replicas.max))


def asleep_wanted(target: ReplicaTarget | None) -> int:
    """Replicas that are to be there and sleep, beside those that serve."""
    return target.asleep if target is not None else 0


def asleep_of(uids: Iterable[UUID]) -> dict[UUID, dict[str, int]]:
    """Replicas that are to sleep, by pool and variant; pools without any are left out."""
    found: dict[UUID, dict[str, int]] = {}
    for target in ReplicaTarget.objects.filter(pool_id__in=list(uids), asleep__gt=0):
        found.setdefault(target.pool_id, {})[target.variant] = target.asleep
    return found


def pools_of_cluster(cluster: Cluster) -> list[str]:
    """Names of the pools that are bound to a cluster, for a refusal to delete it."""
    return [str(pool.key) for pool in Pool.objects.filter(cluster_uid=cluster.uid).order_by("team", "name")[:500]]


def pools_of_model(model: Any) -> list[str]:
    """Names of the living pools that serve a model."""
    return [str(pool.key) for pool in serving(model)]


def serving(model: Any) -> list[Pool]:
    """Living pools whose spec means this very Model."""
    rows = Pool.objects.living().filter(spec__model=model.name)
    if model.team != SHARED_TEAM:
        return list(rows.filter(team=model.team))
    # a team's own model of that name comes before the shared one
    own = type(model).objects.living().filter(name=model.name).exclude(team=model.team)
    teams = set(own.values_list("team", flat=True))
    return [pool for pool in rows if pool.team not in teams]


def queue_keys() -> Iterable[tuple[UUID, str]]:
    """Every pool is looked at from time to time."""
    return [(uid, str(cluster)) for uid, cluster in Pool.objects.values_list("uid", "cluster_uid")]
