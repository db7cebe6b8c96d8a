"""What a pool should be: read once from the database, then rendered for what its cluster knows."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from apps.catalog.domain.dialects import dialect
from apps.catalog.domain.latency import latency_grid
from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of as cluster_spec
from apps.pools import selectors, tokens
from apps.pools.domain.guarded import sleeps
from apps.pools.domain.manifests import (
    SPEC_HASH,
    Inputs,
    Manifest,
    ModelFacts,
    PlanRefused,
    PoolIdentity,
    declared_hash,
)
from apps.pools.domain.paths import render
from apps.pools.domain.rollout import template_of
from apps.pools.domain.sharing import shares
from apps.pools.domain.spec import PoolSpec, Variant
from apps.pools.domain.startup import slowest
from apps.pools.domain.tiers.plan import NO_TIERS, TierPlan, plan_of
from apps.pools.models import Pool, ReplicaTarget, Rollout
from apps.pools.rules import rules_of

# what rules about a pool are rendered to
RULES_KIND = "PrometheusRule.monitoring.coreos.com"
_ASK: Any = object()


@dataclass(frozen=True)
class Declared:
    """All that rendering needs from the database. `model` None: the one that the pool names is not declared."""

    identity: PoolIdentity
    spec: PoolSpec
    model: ModelFacts | None
    replicas: dict[str, int]
    dialect: str
    # how variants roll, and the pod templates (their hash) that are to stand still, or that all replicas have: what
    # roll-outs have stored
    strategies: dict[str, tuple[int, int]] = field(default_factory=dict)
    standing: str = ""
    rolled: str = ""
    rules: tuple[Mapping[str, Any], ...] = ()
    tiers: TierPlan = NO_TIERS
    guard: str = ""
    start_up: float | None = None
    prometheus: str = ""

    @property
    def undecided(self) -> Declared:
        """The same before any loop has decided or measured anything."""
        return replace(self, tiers=plan_of(self.spec.offload, None), start_up=None, standing="")


@dataclass(frozen=True)
class Desired:
    """What a pool should be: its objects, and the replicas of each variant. `steered`: its roll-outs choose how many
    replicas are replaced at once. `undecided`: the objects without what loops have decided or measured, where they
    have."""

    objects: tuple[Manifest, ...]
    replicas: dict[str, int]
    served_name: str
    steered: bool = True
    undecided: Callable[[], tuple[Manifest, ...]] | None = None

    @cached_property
    def declared_hash(self) -> str:
        """Of what was declared: the same whenever the same is declared, whatever the loops make of it."""
        objects = self.undecided() if self.undecided is not None else self.objects
        return declared_hash(objects, steered=self.steered)

    @cached_property
    def template(self) -> str:
        """Hash of the engines' pod templates: another one is a roll-out."""
        return template_of(self.objects)

    @cached_property
    def rendered_hash(self) -> str:
        """Of all that is applied, with what roll-outs have decided."""
        hashes = sorted(obj["metadata"]["labels"][SPEC_HASH] for obj in self.objects)
        return hashlib.sha256("".join(hashes).encode()).hexdigest()


def gather(
    pool: Pool,
    spec: PoolSpec,
    cluster: Cluster,
    *,
    generation: int | None = None,
    model: Any = _ASK,
    kinds: Container[str] | None = None,
    rules: tuple[Mapping[str, Any], ...] | None = None,
) -> Declared:
    """Read what rendering `spec` as the pool's needs; `generation` where it is not the newest one.

    `model`: the one that `spec` names (None: it is not declared), where it has been read already. `kinds`: what the
    cluster knows, where that has been asked already: what would not be rendered there is not read. `rules`: about the
    pool, where they have been read.
    """
    if rules is None:
        rules = rules_of([pool])[pool.uid] if kinds is None or RULES_KIND in kinds else ()
    model = selectors.model_of(pool, spec) if model is _ASK else model
    row = selectors.rollout_of(pool)
    tiers, replicas = tiers_and_replicas(pool, spec)
    return Declared(
        identity=PoolIdentity(
            uid=str(pool.uid),
            team=pool.team,
            name=pool.name,
            generation=generation or pool.generation,
            namespace=pool.namespace,
        ),
        spec=spec,
        model=selectors.model_facts(model) if model is not None else None,
        replicas=replicas,
        dialect=spec.dialect or cluster_spec(cluster).dialect,
        strategies=_strategies(spec, row),
        standing=row.template if row and row.state in ("Paused", "Stopped") else "",
        rolled=row.template if row and row.state == "Complete" else "",
        rules=rules,
        tiers=tiers,
        guard=tokens.digest(pool.uid) if sleeps(spec) else "",
        start_up=slowest(pool.status.get("startUp") or {}),
        prometheus=_prometheus_of(cluster),
    )


def tiers_and_replicas(pool: Pool, spec: PoolSpec) -> tuple[TierPlan, dict[str, int]]:
    """What tiers engines are to have, and how many replicas the Deployment of each variant."""
    targets = selectors.replica_targets(pool)
    wanted = {v.name: _pods_wanted(spec, v, targets.get(v.name)) for v in spec.variants}
    plan = plan_of(spec.offload, selectors.tier_plan(pool))
    plan = plan.among(wanted.get(plan.canary or "", 0), ours=_gives_place(pool, spec))
    return plan, {name: plan.of_deployment(name, count) for name, count in wanted.items()}


def may_stand_instead(pool: Pool, spec: PoolSpec, variant: str) -> bool:
    """Whether a canary may take the place of one of a variant's replicas."""
    targets = selectors.replica_targets(pool)
    wanted = next((_pods_wanted(spec, v, targets.get(v.name)) for v in spec.variants if v.name == variant), 0)
    return wanted > 1 and _gives_place(pool, spec)


def _gives_place(pool: Pool, spec: PoolSpec) -> bool:
    """Whether a Deployment of the pool may have a replica fewer than it is to have. Not where somebody else writes how
    many, as far as was seen; nor where engines sleep: who sleeps is chosen among the Deployment's own."""
    if sleeps(spec):
        return False
    others = (pool.status.get("replicasOwner") or {}).values()
    return spec.autoscaling.mode != "external" and not any(not owner.get("takenBack") for owner in others)


def _pods_wanted(spec: PoolSpec, variant: Variant, target: ReplicaTarget | None) -> int:
    wanted = selectors.pods_wanted(variant, target)
    # on each set of accelerators that pools take turns on there is one engine of each
    return min(wanted, 1) if shares(spec) else wanted


def _strategies(spec: PoolSpec, row: Rollout | None) -> dict[str, tuple[int, int]]:
    if shares(spec):
        # where others take turns there is no room for a second engine
        return {variant.name: (0, 1) for variant in spec.variants}
    if spec.rollout.declared != (None, None):
        return {variant.name: spec.rollout.first_strategy for variant in spec.variants}
    return {name: (pair[0], pair[1]) for name, pair in row.strategies.items()} if row else {}


def _prometheus_of(cluster: Cluster) -> str:
    declared = cluster_spec(cluster).prometheus
    return declared.url if declared is not None else ""


def desired_of(declared: Declared, kinds: Iterable[str]) -> Desired:
    """Render for a cluster that knows `kinds` (`Deployment.apps`). Raises PlanRefused."""
    spec, model = declared.spec, declared.model
    if model is None:
        raise PlanRefused("ModelMissing", f"model {spec.model} is not declared: declare it, or name another one")
    inputs = _inputs(declared, frozenset(kinds))
    release = dialect(declared.dialect)
    objects = render(declared.identity, spec, model, inputs, release)
    if declared.standing and declared.standing == template_of(objects):
        objects = render(declared.identity, spec, model, replace(inputs, paused=True), release)
    elif declared.tiers.stands == "kept" and declared.rolled != template_of(objects):
        # each Deployment may have a replica fewer while it rolls: the canary's comes last
        objects = render(declared.identity, spec, model, replace(inputs, canary_waits=True), release)
    decided = declared.start_up is not None or declared.tiers != plan_of(spec.offload, None)

    def undecided() -> tuple[Manifest, ...]:
        bare = declared.undecided
        try:
            return render(declared.identity, spec, model, _inputs(bare, inputs.kinds), release)
        except PlanRefused:
            return objects  # it stands only with what was decided

    steered = spec.rollout.declared == (None, None)
    return Desired(objects, declared.replicas, model.served_name, steered, undecided if decided else None)


def _inputs(declared: Declared, kinds: frozenset[str]) -> Inputs:
    families, edges = latency_grid()
    return Inputs(
        replicas=declared.replicas,
        accelerators=selectors.accelerators(),
        latency_edges=edges,
        latency_families=families,
        kinds=kinds,
        strategies=declared.strategies,
        rules=declared.rules,
        tiers=declared.tiers,
        guard=declared.guard,
        start_up=declared.start_up,
        prometheus=declared.prometheus,
    )
