"""The arithmetic of a Deployment's rollout: how many replicas each of its ReplicaSets shall have.

Rules of the Kubernetes deployment controller: never more than ``replicas + maxSurge`` pods, never fewer than
``replicas - maxUnavailable`` available ones; unhealthy old replicas go first; a scaled rollout is scaled in proportion.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from apps.embedded.domain.objects import Object, scaled_value

DESIRED_ANNOTATION = "deployment.kubernetes.io/desired-replicas"
MAX_ANNOTATION = "deployment.kubernetes.io/max-replicas"


def spec_replicas(obj: Mapping[str, Any]) -> int:
    """spec.replicas; 1 when absent, as the API server defaults it."""
    return int(obj["spec"].get("replicas", 1))


def status_count(obj: Mapping[str, Any], field: str) -> int:
    return int((obj.get("status") or {}).get(field) or 0)


def total(replica_sets: Sequence[Mapping[str, Any]]) -> int:
    return sum(spec_replicas(rs) for rs in replica_sets)


def available(replica_sets: Sequence[Mapping[str, Any]]) -> int:
    return sum(status_count(rs, "availableReplicas") for rs in replica_sets)


def is_rolling(deployment: Mapping[str, Any]) -> bool:
    return (deployment["spec"].get("strategy") or {}).get("type", "RollingUpdate") == "RollingUpdate"


def fenceposts(deployment: Mapping[str, Any]) -> tuple[int, int]:
    """(surge, unavailable) in pods. Surge rounds up, unavailable down, and both zero becomes one unavailable."""
    rolling = (deployment["spec"].get("strategy") or {}).get("rollingUpdate") or {}
    replicas = spec_replicas(deployment)
    surge = scaled_value(rolling.get("maxSurge"), replicas, round_up=True)
    unavailable = scaled_value(rolling.get("maxUnavailable"), replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return surge, unavailable


def max_surge(deployment: Mapping[str, Any]) -> int:
    return fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Mapping[str, Any]) -> int:
    replicas = spec_replicas(deployment)
    if not is_rolling(deployment) or replicas == 0:
        return 0
    return min(fenceposts(deployment)[1], replicas)


def new_replica_count(deployment: Mapping[str, Any], replica_sets: Sequence[Mapping[str, Any]], current: int) -> int:
    """What the newest ReplicaSet, now at ``current``, may grow to while ``replica_sets`` (it included) exist."""
    replicas = spec_replicas(deployment)
    if not is_rolling(deployment):
        return replicas
    room = replicas + max_surge(deployment) - total(replica_sets)
    if room <= 0:
        return current
    return current + max(0, min(room, replicas - current))


def by_age(replica_sets: Sequence[Object]) -> list[Object]:
    """Oldest first; equal ages by name."""
    return sorted(replica_sets, key=lambda rs: (rs["metadata"]["creationTimestamp"], rs["metadata"]["name"]))


def scale_down_old(deployment: Mapping[str, Any], new: Object, old: Sequence[Object]) -> dict[str, int]:
    """Name → new size of each old ReplicaSet that a rolling update shrinks now; empty when none may shrink."""
    sizes = {rs["metadata"]["name"]: spec_replicas(rs) for rs in old}
    if sum(sizes.values()) == 0:
        return {}
    min_available = spec_replicas(deployment) - max_unavailable(deployment)
    new_unavailable = spec_replicas(new) - status_count(new, "availableReplicas")
    removable = total([*old, new]) - min_available - new_unavailable
    if removable <= 0:
        return {}
    oldest_first = by_age(old)
    planned = dict(sizes)
    for rs in oldest_first:
        name = rs["metadata"]["name"]
        unhealthy = planned[name] - status_count(rs, "availableReplicas")
        step = max(0, min(removable, unhealthy))
        planned[name] -= step
        removable -= step
    spare = available([*old, new]) - min_available
    for rs in oldest_first:
        name = rs["metadata"]["name"]
        step = max(0, min(spare, planned[name]))
        planned[name] -= step
        spare -= step
    return {name: size for name, size in planned.items() if size != sizes[name]}


def annotated(rs: Mapping[str, Any], annotation: str) -> int | None:
    """The number in an annotation of a ReplicaSet, None when it is absent or not a number."""
    try:
        return int((rs["metadata"].get("annotations") or {})[annotation])
    except (KeyError, ValueError):
        return None


def is_scaling_event(deployment: Mapping[str, Any], replica_sets: Sequence[Object]) -> bool:
    """Whether spec.replicas changed since an active ReplicaSet was sized: that is scaled before any rollout goes on."""
    return any(
        spec_replicas(rs) > 0
        and (desired := annotated(rs, DESIRED_ANNOTATION)) is not None
        and desired != spec_replicas(deployment)
        for rs in replica_sets
    )


def is_saturated(deployment: Mapping[str, Any], new: Object | None) -> bool:
    """The newest ReplicaSet has all the replicas, and all of them are available."""
    wanted = spec_replicas(deployment)
    return (
        new is not None
        and spec_replicas(new) == wanted
        and annotated(new, DESIRED_ANNOTATION) == wanted
        and status_count(new, "availableReplicas") == wanted
    )


def active(replica_sets: Sequence[Object]) -> list[Object]:
    return [rs for rs in replica_sets if spec_replicas(rs) > 0]


def active_or_latest(new: Object | None, old: Sequence[Object]) -> Object | None:
    """The only ReplicaSet with replicas, or with none active the newest; None while several are active."""
    everything = [*old, *([new] if new else [])]
    running = active(everything)
    if len(running) == 1:
        return running[0]
    if running or not everything:
        return None
    return new or by_age(old)[-1]


def scale(deployment: Mapping[str, Any], new: Object | None, old: Sequence[Object]) -> dict[str, int]:
    """Name → size for every ReplicaSet that a change of spec.replicas touches (sizes may be what they are)."""
    wanted = spec_replicas(deployment)
    single = active_or_latest(new, old)
    if single is not None:
        return {single["metadata"]["name"]: wanted}
    if is_saturated(deployment, new):
        return {rs["metadata"]["name"]: 0 for rs in active(old)}
    if not is_rolling(deployment):
        return {}
    return _scale_in_proportion(deployment, active([*old, *([new] if new else [])]))


def _scale_in_proportion(deployment: Mapping[str, Any], replica_sets: Sequence[Object]) -> dict[str, int]:
    wanted = spec_replicas(deployment)
    allowed = wanted + max_surge(deployment) if wanted > 0 else 0
    to_add = allowed - total(replica_sets)
    newest_first = list(reversed(by_age(replica_sets)))
    ordered = newest_first if to_add > 0 else list(reversed(newest_first))
    ordered.sort(key=spec_replicas, reverse=True)
    added = 0
    sizes: dict[str, int] = {}
    for rs in ordered:
        share = _proportion(deployment, rs, to_add, added) if to_add else 0
        sizes[rs["metadata"]["name"]] = spec_replicas(rs) + share
        added += share
    if to_add and ordered:
        first = ordered[0]["metadata"]["name"]
        sizes[first] = max(0, sizes[first] + to_add - added)
    return sizes


def _proportion(deployment: Mapping[str, Any], rs: Object, to_add: int, added: int) -> int:
    if spec_replicas(rs) == 0 or to_add == added:
        return 0
    share = _fraction(deployment, rs)
    left = to_add - added
    return min(share, left) if to_add > 0 else max(share, left)


def _fraction(deployment: Mapping[str, Any], rs: Object) -> int:
    if spec_replicas(deployment) == 0:
        return -spec_replicas(rs)
    after = spec_replicas(deployment) + max_surge(deployment)
    before = annotated(rs, MAX_ANNOTATION) or status_count(deployment, "replicas")
    if before == 0:
        return 0
    return math.floor(spec_replicas(rs) * after / before + 0.5) - spec_replicas(rs)


def to_clean_up(deployment: Mapping[str, Any], old: Sequence[Object]) -> list[Object]:
    """Old, empty ReplicaSets beyond revisionHistoryLimit, lowest revision first."""
    limit = deployment["spec"].get("revisionHistoryLimit", 10)
    alive = [rs for rs in old if not rs["metadata"].get("deletionTimestamp")]
    excess = len(alive) - int(limit)
    if excess <= 0:
        return []
    oldest_revisions = sorted(alive, key=lambda rs: (revision(rs), rs["metadata"]["creationTimestamp"]))[:excess]
    return [
        rs
        for rs in oldest_revisions
        if spec_replicas(rs) == 0
        and status_count(rs, "replicas") == 0
        and rs["metadata"].get("generation", 0) <= status_count(rs, "observedGeneration")
    ]


REVISION_ANNOTATION = "deployment.kubernetes.io/revision"


def revision(obj: Mapping[str, Any]) -> int:
    return annotated(obj, REVISION_ANNOTATION) or 0
