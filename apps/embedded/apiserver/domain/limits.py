"""LimitRanges: what containers get when they ask for nothing, and what they may ask for at most."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.embedded.apiserver.domain import quantity
from apps.embedded.apiserver.domain.status import forbidden

Object = dict[str, Any]
ANNOTATION = "kubernetes.io/limit-ranger"


def apply_limit_ranges(pod: Object, ranges: Iterable[Object]) -> None:
    """Fill in defaults, in place, and say so in an annotation. ApiError 403 when a container is out of bounds."""
    said: list[str] = []
    for limit_range in ranges:
        for item in limit_range.get("spec", {}).get("limits") or ():
            if item.get("type") == "Container":
                for group in ("containers", "initContainers"):
                    for container in pod["spec"].get(group) or ():
                        said += _fill(container, item, "init container" if group != "containers" else "container")
                        _check(pod, container, item)
    if said:
        annotations = pod["metadata"].setdefault("annotations", {})
        annotations[ANNOTATION] = f"LimitRanger plugin set: {'; '.join(said)}"


def _fill(container: Object, item: Object, what: str) -> list[str]:
    said = []
    resources = container.setdefault("resources", {})
    for field, source, word in (("requests", "defaultRequest", "request"), ("limits", "default", "limit")):
        added = [name for name in sorted(item.get(source, {})) if name not in resources.get(field, {})]
        if added:
            resources.setdefault(field, {}).update({name: item[source][name] for name in added})
            said.append(f"{', '.join(added)} {word} for {what} {container['name']}")
    return said


def _check(pod: Object, container: Object, item: Object) -> None:
    resources = container["resources"]
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    for name, most in item.get("max", {}).items():
        if name not in limits:
            _refuse(pod, f"maximum {name} usage per Container is {most}. No limit is specified")
        elif quantity.parse(limits[name]) > quantity.parse(most):
            _refuse(pod, f"maximum {name} usage per Container is {most}, but limit is {limits[name]}")
    for name, least in item.get("min", {}).items():
        if name not in requests:
            _refuse(pod, f"minimum {name} usage per Container is {least}. No request is specified")
        elif quantity.parse(requests[name]) < quantity.parse(least):
            _refuse(pod, f"minimum {name} usage per Container is {least}, but request is {requests[name]}")


def _refuse(pod: Object, why: str) -> None:
    raise forbidden("", "pods", pod["metadata"].get("name", ""), why)
