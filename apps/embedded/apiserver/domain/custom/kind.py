"""One version of a custom kind: everything that the server asks of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.custom import rules, structural, validation
from apps.embedded.apiserver.domain.decode import DecodeError, Decoder
from apps.embedded.apiserver.domain.schema import Schema
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy, keep
from apps.embedded.apiserver.domain.values import identical, written

Object = dict[str, Any]
NOT_CHECKED = (
    "some validation rules were not checked because the object was invalid; correct the existing errors to complete"
    " validation"
)
_BLOCKING = {
    "FieldValueNotSupported", "FieldValueRequired", "FieldValueTooLong", "FieldValueTooMany", "FieldValueTypeInvalid",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class CustomKind:
    """Built from one entry of spec.versions. ``metadata`` is the type of ObjectMeta."""

    kind: str
    list_kind: str
    raw: Mapping[str, Any]
    subresources: Mapping[str, Any]
    columns: tuple[Mapping[str, Any], ...]
    metadata: Schema
    selectable: tuple[str, ...] = ()

    @cached_property
    def schema(self) -> Schema:
        return structural.merge_schema({"type": "object", **self.raw}, self.metadata)

    @cached_property
    def has_rules(self) -> bool:
        return rules.has_rules(self.raw)

    @cached_property
    def strategy(self) -> CustomStrategy:
        return CustomStrategy(self)

    @property
    def scale(self) -> Mapping[str, str] | None:
        return self.subresources.get("scale")

    def decode(self, value: Object) -> tuple[Object, list[str]]:
        """The object as it is stored, and the paths of unknown fields. DecodeError for metadata of the wrong type."""
        unknown: list[str] = []
        metadata = value.get("metadata")
        decoder = Decoder()
        try:
            decoded_metadata = decoder.decode(metadata if metadata is not None else {}, self.metadata, "metadata")
        except DecodeError:
            raise
        pruned = structural.prune({**value, "metadata": {}}, self.raw, "", unknown, top=True)
        pruned["metadata"] = decoded_metadata
        self.set_defaults(pruned)
        return pruned, decoder.unknown + unknown

    def set_defaults(self, obj: Object) -> None:
        structural.set_defaults(obj, self._body)

    @cached_property
    def _body(self) -> Mapping[str, Any]:
        """The schema without the head of the object, which has rules of its own."""
        properties = {k: v for k, v in self.raw.get("properties", {}).items() if k not in structural.HEAD}
        required = [name for name in self.raw.get("required", ()) if name not in structural.HEAD]
        return {**self.raw, "properties": properties, "required": required}

    def read(self, stored: Object) -> Object:
        """A stored object as this version shows it: without what the schema does not know, with its defaults."""
        pruned: Object = structural.prune(copy.deepcopy(stored), self.raw, "", [], top=True)
        self.set_defaults(pruned)
        return pruned

    def validate(self, obj: Object, old: Object | None) -> list[Cause]:
        causes = list(validation.validate(obj, self._body))
        causes += self._scale_causes(obj)
        causes += validation.list_types(obj, self._body)
        if not self.has_rules:
            return causes
        if any(cause.reason in _BLOCKING for cause in causes):
            return [*causes, Cause("FieldValueInvalid", f"Invalid value: null: {NOT_CHECKED}", "<nil>")]
        return causes + list(rules.check(obj, old if old is not None else rules.ABSENT, self._body))

    def _scale_causes(self, obj: Object) -> list[Cause]:
        if self.scale is None:
            return []
        path = self.scale["specReplicasPath"]
        value: Any = obj
        for name in path.strip(".").split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if value is None:
            return []
        if not isinstance(value, int) or isinstance(value, bool):
            shown = {str: "string", float: "float64", bool: "bool"}.get(type(value), "map[string]interface {}")
            why = f"{path} accessor error: {value} is of the type {shown}, expected int64"
            return [checks.invalid(path, 0, why)]
        if value < 0:
            return [checks.invalid(path, value, "should be a non-negative integer")]
        return []


class CustomStrategy(Strategy):
    has_generation = True
    version_required = True
    status_always = False
    name_check = staticmethod(checks.subdomain)

    def __init__(self, kind: CustomKind) -> None:
        self._kind = kind
        self.has_status = "status" in kind.subresources
        self.selectable_fields = kind.selectable

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        self._kind.set_defaults(obj)
        written(obj)

    def prepare_update(self, new: Object, old: Object) -> None:
        if self.has_status:
            keep(new, old, "status")
        self._kind.set_defaults(new)
        super().prepare_update(new, old)
        written(new)

    def prepare_status_update(self, new: Object, old: Object) -> None:
        super().prepare_status_update(new, old)
        written(new)

    def spec_changed(self, new: Object, old: Object) -> bool:
        ignored = {"metadata", "apiVersion", "kind"} | ({"status"} if self.has_status else set())
        return not all(identical(new.get(field), old.get(field)) for field in {*new, *old} - ignored)

    def validate(self, obj: Object) -> list[Cause]:
        return self._kind.validate(obj, None)

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return self._kind.validate(new, old)

    def validate_status_update(self, new: Object, old: Object) -> list[Cause]:
        return self._kind.validate(new, old)
