"""What has to be done to a cluster so that it holds what a pool was rendered to: compare first, write only differences.

An unchanged apply costs an API server as much as a changed one, so the only saving is not to send it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.clusters.domain.inventory import amount
from apps.pools.domain.adoption import fitted
from apps.pools.domain.fieldpaths import ATOMIC_MAPS
from apps.pools.domain.manifests import GENERATION, SPEC_HASH, WORKLOADS, Manifest

MANAGER = "lamplight"
SCALER = "lamplight-scaler"
OURS = frozenset({MANAGER, SCALER})
_LIST_KEYS = ("name", "containerPort", "port", "mountPath", "key")
_QUANTITIES = ("resources", "sizeLimit")
_STAMP = f"/metadata/labels/{GENERATION}"

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Write:
    """One object to apply. `why`: create, changed (we render something else now), drift (somebody changed it)."""

    manifest: Manifest
    why: str


@dataclass(frozen=True)
class Plan:
    """`orphans`: live objects of the pool that are no longer rendered."""

    writes: tuple[Write, ...]
    orphans: tuple[Manifest, ...]


def key_of(manifest: Mapping[str, Any]) -> Key:
    """Group, kind and name: the address of an object within the pool's namespace."""
    return (manifest["apiVersion"].rpartition("/")[0], manifest["kind"], manifest["metadata"]["name"])


def address_of(manifest: Mapping[str, Any]) -> str:
    """`Kind/name`."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def plan(desired: Sequence[Manifest], live: Iterable[Manifest]) -> Plan:
    """Compare what was rendered with what is there. `live` are the objects that carry the pool's uid."""
    held = {key_of(obj): obj for obj in live}
    writes = []
    for manifest in desired:
        present = held.pop(key_of(manifest), None)
        if present is None:
            writes.append(Write(manifest, "create"))
            continue
        if _hash(present) != _hash(manifest):
            writes.append(Write(manifest, "changed"))
        elif any(differences(without_replicas(fitted(manifest, present)), present)):
            writes.append(Write(manifest, "drift"))
    orphans = tuple(obj for obj in held.values() if not obj["metadata"].get("deletionTimestamp"))
    return Plan(tuple(writes), orphans)


def differences(wanted: Any, live: Any, at: str = "") -> Iterable[str]:
    """Places where `live` is not as wanted. Fields that we do not render are none of our business.

    Lists are compared by the key of their elements where they have one (name, port), else element by element.
    """
    if wanted == live or at == _STAMP:
        return
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            yield at
            return
        for name, value in wanted.items():
            if name not in live:
                if value not in ({}, [], ""):
                    yield f"{at}/{name}"
            elif value != live[name]:
                # most parts are equal, and comparing them as a whole costs a fraction of walking through them
                yield from differences(value, live[name], f"{at}/{name}")
        if at.rpartition("/")[2] in ATOMIC_MAPS:
            yield from (f"{at}/{name}" for name in live if name not in wanted)
    elif isinstance(wanted, list):
        yield from _list_differences(wanted, live, at)
    elif not same_amount(wanted, live, at):
        yield at


def _list_differences(wanted: list[Any], live: Any, at: str) -> Iterable[str]:
    if not isinstance(live, list):
        yield at
        return
    name = _list_key(wanted)
    if name is not None:
        by_key = {item.get(name): item for item in live if isinstance(item, dict)}
        for item in wanted:
            held = by_key.get(item[name])
            if held is None:
                yield f"{at}/{item[name]}"
            elif item != held:
                yield from differences(item, held, f"{at}/{item[name]}")
    elif len(wanted) != len(live):
        yield at
    else:
        for i, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from differences(one, other, f"{at}/{i}")


def _list_key(items: list[Any]) -> str | None:
    if not items or not all(isinstance(item, dict) for item in items):
        return None
    for name in _LIST_KEYS:
        values = [item.get(name) for item in items]
        if None not in values and len(set(map(str, values))) == len(values):
            return name
    return None


def same_amount(wanted: Any, live: Any, at: str) -> bool:
    """Whether two values at a place that holds a quantity are the same amount in other words."""
    if any(part in at for part in _QUANTITIES):
        one, other = amount(wanted), amount(live)
        return one is not None and one == other
    return False


def _hash(manifest: Mapping[str, Any]) -> str | None:
    return (manifest["metadata"].get("labels") or {}).get(SPEC_HASH)


def without_replicas(manifest: Manifest) -> Manifest:
    """The manifest as it is applied once the scaler owns replicas."""
    if manifest["kind"] not in WORKLOADS or "replicas" not in manifest["spec"]:
        return manifest
    return {**manifest, "spec": {k: v for k, v in manifest["spec"].items() if k != "replicas"}}


def sendable(manifest: Manifest, live: Manifest | None) -> Manifest:
    """The manifest as it is applied beside what is there: without replicas once the scaler owns them."""
    if manifest["kind"] not in WORKLOADS or live is None:
        return manifest
    manifest = fitted(manifest, live)
    metadata = live["metadata"]
    if must_hand_over(live):
        # a start that was cut short: keep the present count until the hand-over. The version is a lock: another count
        # may have been written since
        manifest = {**manifest, "spec": {**manifest["spec"], "replicas": live["spec"].get("replicas", 1)}}
        return with_metadata(manifest, uid=metadata["uid"], resourceVersion=metadata["resourceVersion"])
    # the uid makes the server refuse when the object is gone by now: created without replicas it would have one
    return with_metadata(without_replicas(manifest), uid=metadata["uid"])


def with_metadata(manifest: Manifest, **more: str) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], **more}}


def replicas_claim(live: Mapping[str, Any], replicas: int) -> Manifest:
    """What the scaler applies to become an owner of replicas before the other manager gives the field up."""
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "metadata": {"name": live["metadata"]["name"], "namespace": live["metadata"]["namespace"]},
        "spec": {"replicas": replicas},
    }


def owners_of_replicas(live: Mapping[str, Any]) -> frozenset[str]:
    """Managers that own spec.replicas of a live workload."""
    return frozenset(
        entry.get("manager", "")
        for entry in live["metadata"].get("managedFields") or []
        if "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    )


def must_hand_over(live: Mapping[str, Any]) -> bool:
    """Whether replicas are still ours by apply: left so, they would fall to 1 as soon as we stop applying them."""
    return any(
        entry.get("manager") == MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
        and "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
        for entry in live["metadata"].get("managedFields") or []
    )


# what keeps requests away goes first, then the engines, then what names them
_FIRST_KINDS = ("HTTPRoute", "InferencePool", "PodMonitor")


def removal_stage(obj: Mapping[str, Any], picker_component: str) -> int:
    """In which round of a deletion an object goes: 0 routing, 1 engines, 2 the rest."""
    if obj["kind"] in _FIRST_KINDS:
        return 0
    if obj["kind"] in WORKLOADS:
        component = (obj["metadata"].get("labels") or {}).get("app.kubernetes.io/component")
        return 0 if component == picker_component else 1
    return 2
