"""The kinds that the server serves: the built-in table ``data/kinds.json``, and what CustomResourceDefinitions add."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

DATA = Path(__file__).parent / "data"
ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
CUSTOM_VERBS = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")


@dataclass(frozen=True)
class Subresource:
    name: str
    kind: str
    """group/version/Kind of what the path answers; "" when it is the resource's own kind."""
    verbs: tuple[str, ...]


@dataclass(frozen=True)
class Resource:
    """One served resource. ``storage`` names the collection in the store: two API groups may show the same one."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    storage: str = ""
    storage_version: str = ""
    """The version that objects are stored in, where a kind has several."""
    deprecated: str = ""
    """The warning that every answer carries, if any."""
    custom: Any = None

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        return self.custom.list_kind if self.custom is not None else f"{self.kind}List"


SHARED_STORAGE = {"events.k8s.io/events": "/events"}


class Registry:
    """Looks up resources by (group, version, plural). Discovery order is that of the tables."""

    def __init__(self) -> None:
        table = orjson.loads((DATA / "kinds.json").read_bytes())
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self.known: frozenset[str] = frozenset(table["known"])
        for entry in table["kinds"]:
            self.add(_resource(entry))

    def add(self, resource: Resource) -> None:
        self._resources[resource.group, resource.version, resource.plural] = resource

    def remove(self, group: str, plural: str) -> None:
        for key in [key for key in self._resources if key[0] == group and key[2] == plural]:
            del self._resources[key]

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        return self._resources.get((group, version, plural))

    def by_kind(self, group: str, version: str, kind: str) -> Resource | None:
        return next(
            (r for r in self._resources.values() if (r.group, r.version, r.kind) == (group, version, kind)), None
        )

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._resources.values())

    def versions(self, group: str) -> list[str]:
        return list(dict.fromkeys(r.version for r in self if r.group == group))

    def is_custom(self, group: str) -> bool:
        return any(r.group == group and r.custom is not None for r in self)

    def groups(self) -> list[str]:
        """Names of all API groups but the core group, in order of appearance."""
        return list(dict.fromkeys(r.group for r in self if r.group))


def _resource(entry: dict[str, Any]) -> Resource:
    storage = f"{entry['group']}/{entry['plural']}"
    return Resource(
        group=entry["group"],
        version=entry["version"],
        kind=entry["kind"],
        plural=entry["plural"],
        singular=entry["singular"],
        namespaced=not entry.get("clusterScoped", False),
        short_names=tuple(entry.get("shortNames", ())),
        categories=tuple(entry.get("categories", ())),
        verbs=tuple(entry.get("verbs", ALL_VERBS)),
        subresources={
            name: Subresource(name, sub.get("kind", ""), tuple(sub["verbs"]))
            for name, sub in entry.get("subresources", {}).items()
        },
        deprecated=entry.get("deprecated", ""),
        storage=SHARED_STORAGE.get(storage, storage),
    )
