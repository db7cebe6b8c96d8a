"""ResourceQuotas: what the objects of a namespace use, and what a new one may not go beyond.

Counted are objects (`pods`, `services`, `count/deployments.apps`, ...) and what pods that are not over ask for (`cpu`,
`requests.memory`, `limits.cpu`, `requests.nvidia.com/gpu`, ...). A quota with scopes is not enforced.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from apps.embedded.apiserver.domain import quantity
from apps.embedded.apiserver.domain.status import forbidden

Object = dict[str, Any]
OWN_NAME = frozenset(
    {"pods", "services", "configmaps", "secrets", "persistentvolumeclaims", "resourcequotas", "replicationcontrollers"}
)
COMPUTE = ("cpu", "memory", "ephemeral-storage")
TERMINAL = ("Succeeded", "Failed")
Usage = Mapping[str, Decimal]


def usage_of(group: str, plural: str, obj: Object) -> Usage:
    """What one object uses of everything that a quota can name."""
    used: Counter[str] = Counter()
    used[f"count/{plural}.{group}" if group else f"count/{plural}"] += 1
    if group == "" and plural == "pods":
        return _plus(used, _pod(obj))
    if group == "" and plural in OWN_NAME:
        used[plural] += 1
    return {name: Decimal(count) for name, count in used.items()}


def total(usages: Iterable[Usage]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for usage in usages:
        for name, amount in usage.items():
            found[name] = found.get(name, Decimal(0)) + amount
    return found


def is_enforced(quota: Object) -> bool:
    spec = quota.get("spec", {})
    return bool(spec.get("hard")) and not spec.get("scopes") and not spec.get("scopeSelector")


def status_of(quota: Object, used: Usage) -> Object:
    """The status of a quota, given what its namespace uses."""
    hard = quota["spec"]["hard"]
    return {"hard": dict(hard), "used": {name: _show(used.get(name, Decimal(0)), hard[name]) for name in hard}}


def check(quota: Object, group: str, plural: str, obj: Object, used: Usage) -> None:
    """ApiError 403 when creating the object would take the namespace beyond the quota, or when a pod does not say how
    much it asks for of what is limited."""
    name, hard = quota["metadata"]["name"], quota["spec"]["hard"]
    asked = usage_of(group, plural, obj)
    where = obj["metadata"].get("name") or obj["metadata"].get("generateName", "")
    if (group, plural) == ("", "pods"):
        missing = _unstated(obj, hard)
        if missing:
            raise forbidden("", "pods", where, f"failed quota: {name}: must specify {missing}")
    over = [
        key
        for key in sorted(hard)
        if asked.get(key) and used.get(key, Decimal(0)) + asked[key] > quantity.parse(hard[key])
    ]
    if over:
        requested = ",".join(f"{key}={_show(asked[key], hard[key])}" for key in over)
        now = ",".join(f"{key}={_show(used.get(key, Decimal(0)), hard[key])}" for key in over)
        limited = ",".join(f"{key}={hard[key]}" for key in over)
        why = f"exceeded quota: {name}, requested: {requested}, used: {now}, limited: {limited}"
        raise forbidden(group, plural, where, why)


def _plus(used: Counter[str], more: Usage) -> Usage:
    return total([{name: Decimal(count) for name, count in used.items()}, more])


def _pod(pod: Object) -> Usage:
    if (pod.get("status") or {}).get("phase") in TERMINAL:
        return {}
    used: dict[str, Decimal] = {"pods": Decimal(1)}
    for field in ("requests", "limits"):
        for resource, amount in _asked(pod["spec"], field).items():
            used[f"{field}.{resource}"] = amount
            if field == "requests" and resource in COMPUTE:
                used[resource] = amount
    return used


def _asked(spec: Object, field: str) -> dict[str, Decimal]:
    """The containers' sum, or the largest init container where that is more."""

    def of(container: Object) -> dict[str, Decimal]:
        amounts = (container.get("resources") or {}).get(field) or {}
        return {name: quantity.parse(amount) for name, amount in amounts.items()}

    asked = total(of(container) for container in spec.get("containers") or ())
    for container in spec.get("initContainers") or ():
        for name, amount in of(container).items():
            asked[name] = max(asked.get(name, Decimal(0)), amount)
    return asked


def _unstated(pod: Object, hard: Mapping[str, Any]) -> str:
    """The limited resources that some container says nothing of, with the containers, as the server lists them."""
    found: dict[str, list[str]] = {}
    for key in sorted(hard):
        field, _, resource = key.rpartition(".") if key.startswith(("requests.", "limits.")) else ("requests", "", key)
        if resource not in COMPUTE:
            continue
        for container in pod["spec"].get("containers") or ():
            if resource not in ((container.get("resources") or {}).get(field) or {}):
                found.setdefault(key, []).append(container["name"])
    return "; ".join(f"{key} for: {','.join(names)}" for key, names in found.items())


def _show(amount: Decimal, like: object) -> str:
    """A number in the form of a quantity; in thousandths or powers of two where the limit is."""
    text = str(like)
    if text.endswith("i") and amount == amount.to_integral_value():
        for suffix, size in (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
            if amount and amount % size == 0:
                return f"{int(amount) // size}{suffix}"
    return quantity.canonical(f"{amount.normalize():f}")
