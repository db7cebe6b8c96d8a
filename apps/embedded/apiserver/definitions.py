"""CustomResourceDefinitions as they take effect: stored ones add kinds to the registry, deleted ones take them away."""

from __future__ import annotations

from typing import Any

import orjson

from apps.embedded.apiserver.domain.custom.kind import CustomKind
from apps.embedded.apiserver.registry import CUSTOM_VERBS, Registry, Resource, Subresource
from apps.embedded.apiserver.store import Store
from apps.embedded.apiserver.types import META

Object = dict[str, Any]
STORAGE = "apiextensions.k8s.io/customresourcedefinitions"
SUBRESOURCE_VERBS = ("get", "patch", "update")


class Definitions:
    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._specs: dict[str, bytes] = {}
        for definition in store.objects(STORAGE):
            self._serve(definition)

    def stored(self, resource: Resource, obj: Object) -> None:
        if resource.storage == STORAGE:
            self._serve(obj)

    def removed(self, resource: Resource, obj: Object) -> None:
        """The objects of a kind go with its definition."""
        if resource.storage != STORAGE:
            return
        group, plural = obj["spec"]["group"], obj["spec"]["names"]["plural"]
        self._specs.pop(obj["metadata"]["name"], None)
        self._registry.remove(group, plural)
        storage = f"{group}/{plural}"
        for custom in self._store.objects(storage):
            self._store.delete(storage, custom["metadata"].get("namespace", ""), custom["metadata"]["name"])

    def _serve(self, definition: Object) -> None:
        """Objects are read by the schema of the version that is stored, as it is now."""
        spec, name = definition["spec"], definition["metadata"]["name"]
        written = orjson.dumps(spec)
        if self._specs.get(name) == written:
            return
        self._specs[name] = written
        group, names = spec["group"], spec["names"]
        self._registry.remove(group, names["plural"])
        storage = f"{group}/{names['plural']}"
        for version in spec["versions"]:
            if version["storage"]:
                self._store.reread(storage, _kind(names, version).read)
            if not version.get("served", True):
                continue
            subresources = version.get("subresources") or {}
            shown = {"status": Subresource("status", "", SUBRESOURCE_VERBS)} if "status" in subresources else {}
            if "scale" in subresources:
                shown["scale"] = Subresource("scale", "autoscaling/v1/Scale", SUBRESOURCE_VERBS)
            self._registry.add(
                Resource(
                    group=group,
                    version=version["name"],
                    kind=names["kind"],
                    plural=names["plural"],
                    singular=names.get("singular", names["kind"].lower()),
                    namespaced=spec["scope"] == "Namespaced",
                    short_names=tuple(names.get("shortNames") or ()),
                    categories=tuple(names.get("categories") or ()),
                    verbs=CUSTOM_VERBS,
                    subresources=shown,
                    storage=storage,
                    storage_version=next(v["name"] for v in spec["versions"] if v["storage"]),
                    custom=_kind(names, version),
                )
            )


def _kind(names: Object, version: Object) -> CustomKind:
    return CustomKind(
        kind=names["kind"],
        list_kind=names.get("listKind", f"{names['kind']}List"),
        raw=version["schema"]["openAPIV3Schema"],
        subresources=version.get("subresources") or {},
        columns=tuple(version.get("additionalPrinterColumns") or ()),
        metadata=META,
        selectable=tuple(f["jsonPath"].lstrip(".") for f in version.get("selectableFields") or ()),
    )
