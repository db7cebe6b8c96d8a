"""What goes into rendering and what comes out: plain inputs, plain manifests, the labels on all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.catalog.domain.model import Shape
from apps.pools.domain.tiers.plan import NO_TIERS, TierPlan

Manifest = dict[str, Any]

POOL_UID = "lamplight.dev/pool-uid"
GENERATION = "lamplight.dev/generation"
SPEC_HASH = "lamplight.dev/spec-hash"
VARIANT = "lamplight.dev/variant"
COMPONENT = "app.kubernetes.io/component"
# kinds that make a variant's pods by a number of replicas, which has a writer of its own
WORKLOADS = ("Deployment", "LeaderWorkerSet")


class PlanRefused(Exception):
    """The pool cannot be rendered as declared. `reason`: one CamelCase word; the message is a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class PoolIdentity:
    """Whose objects these are."""

    uid: str
    team: str
    name: str
    generation: int
    namespace: str


@dataclass(frozen=True)
class AdapterFacts:
    """A LoRA adapter of a model: under which name it is served, where it lies, its rank where that is known."""

    name: str
    source: str
    rank: int | None = None


@dataclass(frozen=True)
class ModelFacts:
    """What rendering needs to know of a Model: `source` with its scheme (hf://, pvc://, oci://, s3://).

    `shape`: of its layers and heads, None where it is not declared. `token`: name and key of the Secret with the
    token that may read gated weights, None where none is declared.
    """

    name: str
    source: str
    served_name: str
    revision: str | None = None
    shape: Shape | None = None
    adapters: tuple[AdapterFacts, ...] = ()
    token: tuple[str, str] | None = None


@dataclass(frozen=True)
class AcceleratorFacts:
    """An accelerator as a cluster offers it; fields as in the catalogue's Accelerator. `resource` None: a CPU node."""

    name: str
    vendor: str
    resource: str | None
    node_selector: Mapping[str, str] = field(default_factory=dict)
    title: str = ""
    memory: int = 0
    family: str = "nvidia"
    variant: str = "gpu"
    device_class: str | None = None
    topologies: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    fabrics: tuple[str, ...] = ("tcp",)
    sleep: bool = False
    taints: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """The plain inputs beside the declaration.

    `replicas`: the clamped target of each variant. `latency_edges`: bucket bounds in seconds of the engines' latency
    histograms, by family. `kinds`: what the cluster knows, as `Kind.group` (`Deployment.apps`, `Service.`).
    `strategies`: (maxSurge, maxUnavailable) by variant, where the declaration leaves them open; `paused`: roll-outs
    stand still; `canary_waits`: that of a canary that was kept does, while the variant's others roll. `rules`: groups
    of Prometheus rules about the pool. `tiers`: where engines keep KV blocks beside the device. `guard`: SHA-256 of the
    token that opens the engines' development endpoints, where they are to sleep. `start_up`: seconds that a replica was
    measured to take from nothing to ready, None where none has been. `prometheus`: address of the cluster's Prometheus,
    "" where none is declared.
    """

    replicas: Mapping[str, int]
    accelerators: Mapping[str, AcceleratorFacts]
    latency_edges: tuple[float, ...]
    latency_families: tuple[str, ...]
    kinds: frozenset[str]
    strategies: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    paused: bool = False
    canary_waits: bool = False
    rules: tuple[Mapping[str, Any], ...] = ()
    tiers: TierPlan = NO_TIERS
    guard: str = ""
    start_up: float | None = None
    prometheus: str = ""

    def has(self, kind: str, group: str) -> bool:
        return f"{kind}.{group}" in self.kinds


def labels_of(pool: PoolIdentity, component: str, variant: str | None = None) -> dict[str, str]:
    """The labels of an object that hold over its life: never a generation or hash, so that pods do not roll by them."""
    labels = {
        "app.kubernetes.io/name": "lamplight-pool",
        "app.kubernetes.io/instance": pool.name,
        COMPONENT: component,
        "app.kubernetes.io/managed-by": "lamplight",
        "lamplight.dev/pool": pool.name,
        "lamplight.dev/team": pool.team,
        POOL_UID: pool.uid,
    }
    return {**labels, VARIANT: variant} if variant else labels


def object_meta(pool: PoolIdentity, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "namespace": pool.namespace, "labels": dict(labels)}


def stamped(manifest: Manifest, generation: int) -> Manifest:
    """The manifest with the labels that say from which content it was rendered, and at which generation.

    Replicas are left out of the content: they have a writer of their own.
    """
    metadata = {**manifest["metadata"]}
    metadata["labels"] = {
        **metadata["labels"],
        SPEC_HASH: spec_hash(manifest),
        GENERATION: str(generation),
    }
    return {**manifest, "metadata": metadata}


def declared_hash(objects: Iterable[Manifest], *, steered: bool) -> str:
    """64 hex digits over what a declaration renders to, the same whenever it is rendered.

    Left out is what roll-outs decide: a pause, and where they are `steered` (the declaration leaves it open) how many
    replicas are replaced at once.
    """
    hashes = sorted(_declared_hash(one, steered) for one in objects)
    return hashlib.sha256("".join(hashes).encode()).hexdigest()


def _declared_hash(manifest: Manifest, steered: bool) -> str:
    bare = _undecided(manifest, steered)
    stamp = manifest["metadata"]["labels"].get(SPEC_HASH) if bare is manifest else None
    return stamp or spec_hash(bare)


def _undecided(manifest: Manifest, steered: bool) -> Manifest:
    if manifest["kind"] == "LeaderWorkerSet":
        return {**manifest, "spec": {**manifest["spec"], "rolloutStrategy": _declared_rollout(manifest, steered)}}
    if manifest["kind"] != "Deployment":
        return manifest
    spec = {key: value for key, value in manifest["spec"].items() if key != "paused"}
    if steered and "rollingUpdate" in (spec.get("strategy") or {}):
        spec["strategy"] = {key: value for key, value in spec["strategy"].items() if key != "rollingUpdate"}
    return {**manifest, "spec": spec}


def _declared_rollout(manifest: Manifest, steered: bool) -> dict[str, Any]:
    rollout = manifest["spec"]["rolloutStrategy"]
    config = {} if steered else {k: v for k, v in rollout["rollingUpdateConfiguration"].items() if k != "partition"}
    return {**rollout, "rollingUpdateConfiguration": config}


def spec_hash(manifest: Manifest) -> str:
    """16 hex digits over the manifest's canonical JSON, without its stamp and replicas."""
    content, labels = manifest, manifest["metadata"]["labels"]
    if SPEC_HASH in labels or GENERATION in labels:
        labels = {k: v for k, v in labels.items() if k not in (SPEC_HASH, GENERATION)}
        content = {**content, "metadata": {**manifest["metadata"], "labels": labels}}
    if manifest["kind"] in WORKLOADS:
        content = {**content, "spec": {k: v for k, v in manifest["spec"].items() if k != "replicas"}}
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
