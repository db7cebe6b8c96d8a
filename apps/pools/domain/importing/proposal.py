"""What a proposal is, and what is known around the things that it is made of."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.pools.domain.manifests import AcceleratorFacts
from apps.pools.domain.replicas import Scaler

Via = Literal["deployment", "llm-d", "kserve"]
_NAME = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True)
class Surroundings:
    """What is known around the workloads of a namespace.

    `cluster`: its name in documents. `accelerators`: by name. `products`: those that the cluster has. `scalers`: what
    scales workloads there. `selectors`: labels that the InferencePools of the namespace select by. `pickers`:
    configurations of the endpoint pickers there. `models`: sources of declared Models by name.
    `dialect`: the llm-d release of the cluster.
    """

    cluster: str
    namespace: str
    accelerators: Mapping[str, AcceleratorFacts]
    products: frozenset[str] = frozenset()
    scalers: Sequence[Scaler] = ()
    selectors: Sequence[Mapping[str, str]] = ()
    pickers: Sequence[Mapping[str, Any]] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    dialect: str = "current"


@dataclass(frozen=True)
class Proposal:
    """Documents for one thing that runs. `notes`: what they do not carry over. `adopts`: objects, as `Kind/name`.

    `name`: of the object that it is made of, or of several, separated by commas.
    """

    via: Via
    kind: str
    name: str
    documents: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]
    adopts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "via": self.via,
            "source": {"kind": self.kind, "name": self.name},
            "adopts": list(self.adopts),
            "documents": list(self.documents),
            "notes": list(self.notes),
        }


def name_of(text: str) -> str:
    """A name of ours out of any text."""
    return _NAME.sub("-", text.lower()).strip("-")[:40].strip("-") or "imported"


def picked(labels: Mapping[str, str], around: Surroundings) -> int | None:
    """Which InferencePool of the namespace selects pods with these labels; None: none does."""
    for i, selector in enumerate(around.selectors):
        if selector and all(labels.get(key) == value for key, value in selector.items()):
            return i
    return None
