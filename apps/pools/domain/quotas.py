"""Do the quotas and queues of a namespace leave room for what a plan adds?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.clusters.domain.inventory import amount
from apps.pools.domain.groups import group_size, pod_template
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.spec import PoolSpec

__all__ = ["Limits", "added_by", "queue_faults", "quota_faults"]

MOST_NAMED = 5


@dataclass(frozen=True)
class Limits:
    """What a namespace sets bounds by. `quotas`: its ResourceQuotas; `queues`: its LocalQueues (Kueue), None where the
    cluster does not know the kind."""

    quotas: Sequence[Mapping[str, Any]] = ()
    queues: Sequence[Mapping[str, Any]] | None = None


def added_by(workload: Manifest, more: int) -> dict[str, float]:
    """What `more` replicas of a workload take of a quota, by the names that quotas have for it; nothing for fewer."""
    pods = max(more, 0) * group_size(workload)
    if not pods:
        return {}
    spec = pod_template(workload)["spec"]
    beside = [one for one in spec.get("initContainers") or () if one.get("restartPolicy") == "Always"]
    found: dict[str, float] = {"pods": pods, "count/pods": pods}
    for container in (*spec["containers"], *beside):
        for section, amounts in (container.get("resources") or {}).items():
            if section not in ("requests", "limits"):
                continue
            for resource, text in amounts.items():
                names = [f"{section}.{resource}"]
                names += [resource] if section == "requests" and resource in ("cpu", "memory") else []
                for name in names:
                    found[name] = found.get(name, 0.0) + pods * float(amount(text) or 0)
    return found


def quota_faults(added: Mapping[str, float], quotas: Iterable[Mapping[str, Any]], namespace: str) -> list[str]:
    """Sentences about what a namespace's quotas do not leave room for. A quota with a scope may be about other pods:
    it is left out."""
    found = []
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        for name, text in (spec.get("hard") or {}).items():
            hard, used = amount(text), amount((status.get("used") or {}).get(name, "0"))
            needed = added.get(name, 0.0)
            if hard is None or used is None or needed <= float(hard) - float(used):
                continue
            left = max(float(hard) - float(used), 0.0)
            found.append(
                f"ResourceQuota {quota['metadata']['name']} of namespace {namespace} leaves {_shown(left)} of {name}, "
                f"and {_shown(needed)} more are asked for: raise it, or lower replicas"
            )
    return found[:MOST_NAMED]


def queue_faults(spec: PoolSpec, queues: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """Sentences about variants whose Kueue queue is not there or takes nothing."""
    found = []
    for variant in spec.variants:
        if not variant.queue:
            continue
        where = f"variant {variant.name} goes through the queue {variant.queue}"
        if queues is None:
            found.append(f"{where}, and the cluster does not know LocalQueues: install Kueue there, or leave queue out")
            continue
        row = next((q for q in queues if q["metadata"]["name"] == variant.queue), None)
        if row is None:
            known = ", ".join(sorted(q["metadata"]["name"] for q in queues)) or "none"
            found.append(f"{where}, and namespace {spec.namespace} has no such LocalQueue (it has {known})")
            continue
        active: Mapping[str, Any] = next(
            (c for c in (row.get("status") or {}).get("conditions") or () if c.get("type") == "Active"), {}
        )
        if active.get("status") == "False":
            found.append(f"{where}, which takes nothing now: {active.get('message') or active.get('reason')}")
    return found


def _shown(value: float) -> str:
    """A count as it is, bytes in GiB."""
    return f"{value / 2**30:.1f} GiB" if value >= 2**24 else f"{value:g}"
