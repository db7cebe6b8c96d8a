"""The accelerators that pools can ask for, as data: how Kubernetes names them, how large they are, what they cost."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from apps.core.domain.units import HourlyPrice, parse_bytes, parse_price


@dataclass(frozen=True, slots=True)
class Fabric:
    """A network that KV blocks and expert traffic go over. `resource`: what a pod asks its node for, None where every
    pod has it. `rdma`: memory is reached without the host's processor."""

    name: str
    title: str
    resource: str | None
    env: Mapping[str, str]
    rdma: bool


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One kind of accelerator.

    `family`: whose engine images and defaults it takes (nvidia, amd, google, intel-xpu, intel-gaudi, cpu); `variant`:
    what llm-d labels it (gpu, tpu, xpu, hpu, cpu). `resource`: the extended resource that a container asks for, None
    for plain CPU; `device_class`: of dynamic resource allocation. `memory`: bytes of one accelerator. `node_selector`:
    labels of the nodes that have it; `topologies`: their topology by accelerators of one pod, where nodes are of that
    shape only. `env`, `args`: what the guides set for its engines. `fabrics`: best first. `sleep`: its engines can
    sleep. `taints`: keys of taints that its nodes have beside one of the resource's name. `price`: of one accelerator,
    None where unknown; `priced_on` says when (`2026-05`), `price_source` where it was read, or why it is unknown.
    `multi_node_nvlink`: NVLink goes from machine to machine in a rack.
    """

    name: str
    title: str
    vendor: str
    resource: str | None
    memory: int
    node_selector: Mapping[str, str]
    price: HourlyPrice | None
    priced_on: str | None
    family: str = "nvidia"
    variant: str = "gpu"
    device_class: str | None = None
    topologies: Mapping[str, str] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    args: tuple[str, ...] = ()
    fabrics: tuple[str, ...] = ("tcp",)
    sleep: bool = False
    taints: tuple[str, ...] = ()
    architecture: str = "amd64"
    price_source: str = ""
    multi_node_nvlink: bool = False


@functools.cache
def accelerators() -> Mapping[str, Accelerator]:
    """All known accelerators by name."""
    table = _table()
    return {name: _read(name, row, table["families"][row["family"]]) for name, row in table["accelerators"].items()}


@functools.cache
def fabrics() -> Mapping[str, Fabric]:
    """All known fabrics by name."""
    return {
        name: Fabric(name, row["title"], row["resource"], row["env"], row["rdma"])
        for name, row in _table()["fabrics"].items()
    }


def accelerator(name: str) -> Accelerator | None:
    """The accelerator of a name, None where it is not known."""
    return accelerators().get(name)


@functools.cache
def _table() -> dict[str, Any]:
    text = resources.files("apps.catalog").joinpath("data", "accelerators.json").read_text(encoding="utf-8")
    return json.loads(text)


def _read(name: str, row: Mapping[str, Any], family: Mapping[str, Any]) -> Accelerator:
    return Accelerator(
        name=name,
        title=row["title"],
        vendor=family["vendor"],
        resource=row.get("resource", family["resource"]),
        memory=parse_bytes(row["memory"]),
        node_selector=row["nodeSelector"],
        price=parse_price(row["price"]) if row["price"] else None,
        priced_on=row["pricedOn"],
        price_source=row.get("priceSource", _table()["priceSource"]),
        multi_node_nvlink=row.get("multiNodeNvlink", False),
        family=row["family"],
        variant=family["variant"],
        device_class=family["deviceClass"],
        topologies=row.get("topologies", {}),
        env={**family["env"], **row.get("env", {})},
        args=(*family["args"], *row.get("args", ())),
        fabrics=tuple(row.get("fabrics", family["fabrics"])),
        sleep=family["sleep"],
        taints=tuple(row.get("taints", ())),
        architecture=row.get("architecture", "amd64"),
    )
