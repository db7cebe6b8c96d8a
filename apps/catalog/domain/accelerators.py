"""The accelerators that pools can ask for, as data: how Kubernetes names them, how large they are, what they cost."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from apps.core.domain.units import HourlyPrice, parse_bytes, parse_price


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One kind of accelerator.

    `resource`: the extended resource that a container asks for, None for plain CPU. `memory`: bytes of one
    accelerator. `node_selector`: labels of the nodes that have it. `price`: of one accelerator, None where unknown;
    `priced_on` says when (`2026-05`).
    """

    name: str
    title: str
    vendor: str
    resource: str | None
    memory: int
    node_selector: Mapping[str, str]
    price: HourlyPrice | None
    priced_on: str | None


@functools.cache
def accelerators() -> Mapping[str, Accelerator]:
    """All known accelerators by name."""
    text = resources.files("apps.catalog").joinpath("data", "accelerators.json").read_text(encoding="utf-8")
    return {name: _read(name, row) for name, row in json.loads(text)["accelerators"].items()}


def accelerator(name: str) -> Accelerator | None:
    """The accelerator of a name, None where it is not known."""
    return accelerators().get(name)


def _read(name: str, row: Mapping[str, object]) -> Accelerator:
    selector = row["nodeSelector"]
    assert isinstance(selector, Mapping)
    return Accelerator(
        name=name,
        title=str(row["title"]),
        vendor=str(row["vendor"]),
        resource=str(row["resource"]) if row["resource"] else None,
        memory=parse_bytes(row["memory"]),
        node_selector=selector,
        price=parse_price(row["price"]) if row["price"] else None,
        priced_on=str(row["pricedOn"]) if row["pricedOn"] else None,
    )
