"""What a pod asks for and what a node has left."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from apps.embedded.domain.quantity import parse_quantity

Amounts = dict[str, Decimal]


def _of_container(container: Mapping[str, Any]) -> Amounts:
    resources = container.get("resources") or {}
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    return {name: parse_quantity(value) for name, value in asked.items()}


def add(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Amounts:
    return {name: one.get(name, Decimal(0)) + other.get(name, Decimal(0)) for name in {**one, **other}}


def _highest(one: Mapping[str, Decimal], other: Mapping[str, Decimal]) -> Amounts:
    return {name: max(one.get(name, Decimal(0)), other.get(name, Decimal(0))) for name in {**one, **other}}


def pod_requests(pod: Mapping[str, Any]) -> Amounts:
    """The effective requests of a pod: its containers and sidecars together, or an init container that needs more.

    An init container runs with the sidecars (restartPolicy Always) that were started before it.
    """
    spec = pod["spec"]
    running: Amounts = {}
    for container in spec["containers"]:
        running = add(running, _of_container(container))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.get("initContainers") or []:
        own = _of_container(container)
        if container.get("restartPolicy") == "Always":
            sidecars = add(sidecars, own)
            peak = _highest(peak, sidecars)
        else:
            peak = _highest(peak, add(sidecars, own))
    overhead = {name: parse_quantity(value) for name, value in (spec.get("overhead") or {}).items()}
    return add(_highest(add(running, sidecars), peak), overhead)


def total_requests(pods: Iterable[Mapping[str, Any]]) -> Amounts:
    """The sum over pods, with the number of pods as resource ``pods``."""
    result: Amounts = {}
    for pod in pods:
        result = add(result, {**pod_requests(pod), "pods": Decimal(1)})
    return result


def allocatable(node: Mapping[str, Any]) -> Amounts:
    status = node.get("status") or {}
    amounts = status.get("allocatable") or status.get("capacity") or {}
    return {name: parse_quantity(value) for name, value in amounts.items()}
