"""Reading plain Kubernetes objects: time, selectors, owners, conditions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

Object = dict[str, Any]


def rfc3339(moment: datetime) -> str:
    """``moment`` as Kubernetes writes metav1.Time: UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_time(moment: datetime) -> str:
    """``moment`` as Kubernetes writes metav1.MicroTime: UTC, six decimals."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """The moment of an RFC 3339 time, with or without fraction. ValueError when it is not one."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def matches_selector(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a metav1.LabelSelector selects ``labels``: an absent selector nothing, an empty one everything."""
    if selector is None:
        return False
    labels = labels or {}
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(matches_requirement(rule, labels) for rule in selector.get("matchExpressions") or [])


def matches_requirement(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """One element of ``matchExpressions`` (or of a node selector term, which knows Gt and Lt too)."""
    key, operator, values = rule["key"], rule["operator"], rule.get("values") or []
    match operator:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "Gt" | "Lt":
            try:
                have, bound = int(labels[key]), int(values[0])
            except (KeyError, ValueError, IndexError):
                return False
            return have > bound if operator == "Gt" else have < bound
        case _:
            return False


def matches_map(selector: Mapping[str, str] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether the plain selector of a Service selects ``labels``; an empty one selects nothing."""
    return bool(selector) and all((labels or {}).get(key) == value for key, value in (selector or {}).items())


def controller_of(obj: Mapping[str, Any]) -> Object | None:
    """The owner reference marked ``controller``, if there is one."""
    for reference in obj["metadata"].get("ownerReferences") or []:
        if reference.get("controller"):
            return dict(reference)
    return None


def is_controlled_by(obj: Mapping[str, Any], owner: Mapping[str, Any]) -> bool:
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


def controller_reference(owner: Mapping[str, Any], api_version: str, kind: str) -> Object:
    """The owner reference that a controller puts on what it creates for ``owner``."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def find_condition(conditions: Iterable[Object] | None, type_: str) -> Object | None:
    return next((condition for condition in conditions or [] if condition.get("type") == type_), None)


def without_condition(conditions: Iterable[Object] | None, type_: str) -> list[Object]:
    return [condition for condition in conditions or [] if condition.get("type") != type_]


def is_deleting(obj: Mapping[str, Any]) -> bool:
    return bool(obj["metadata"].get("deletionTimestamp"))


def revision_of(obj: Mapping[str, Any]) -> int:
    """metadata.resourceVersion as the number it is on every current server; 0 when absent."""
    try:
        return int(obj["metadata"].get("resourceVersion", "0"))
    except ValueError:
        return 0


def scaled_value(value: int | str | None, total: int, *, round_up: bool) -> int:
    """An IntOrString of replicas: an absolute number, or a percentage of ``total``. ValueError for anything else."""
    if value is None:
        return 0
    if isinstance(value, int):
        return value
    if not value.endswith("%"):
        raise ValueError(f"{value!r} is neither a number nor a percentage")
    percent = int(value[:-1])
    return -(-percent * total // 100) if round_up else percent * total // 100
