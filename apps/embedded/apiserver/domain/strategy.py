"""What the server itself does to an object of some kind when it is written: the part that no client can change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from apps.embedded.apiserver.domain.status import Cause

Object = dict[str, Any]

METADATA_OF_SERVER = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


class Strategy:
    """The generic rules; kinds with rules of their own derive from it. All methods may change ``obj`` in place."""

    has_status = False
    has_generation = False
    create_on_update = False
    """PUT of an object that does not exist creates it."""
    graceful = False
    """DELETE waits for somebody (the kubelet) to confirm."""
    default_propagation = "Background"
    deletion_has_grace = True
    """A marked object shows deletionGracePeriodSeconds."""
    answers_deleted_object = False
    """DELETE answers the object even when it is gone at once."""
    version_required = False
    """PUT must state the resourceVersion."""
    name_check: Callable[[str, str], list[Cause]] | None = None
    """How metadata.name must look: a check of (field, value); None takes any."""
    selectable_fields: tuple[str, ...] = ()
    """Field selectors beyond metadata.name and metadata.namespace."""

    def set_defaults(self, obj: Object) -> None:
        """Fill in what the kind's versioned defaults say."""

    def prepare_create(self, obj: Object) -> None:
        if self.has_status:
            obj.pop("status", None)
            if self.status_always:
                obj["status"] = {}
        if self.has_generation:
            obj["metadata"]["generation"] = 1
        else:
            obj["metadata"].pop("generation", None)

    status_always = True
    """Go writes the status struct of most built-in kinds even when it is empty."""

    owned_with_status: tuple[str, ...] = ("f:status",)
    """Path of what a write to /status may change, and so own, besides the status itself."""

    def prepare_update(self, new: Object, old: Object) -> None:
        if self.has_status:
            keep(new, old, "status")
        if self.has_generation and self.spec_changed(new, old):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1

    def prepare_status_update(self, new: Object, old: Object) -> None:
        """Of a write to /status only the status counts; labels and the like stay as they were."""
        for field in set(old) | set(new):
            if field not in ("status", "metadata", "apiVersion", "kind"):
                keep(new, old, field)
        managed = new["metadata"].get("managedFields")
        new["metadata"] = copy.deepcopy(old["metadata"])
        if managed is not None:
            new["metadata"]["managedFields"] = managed

    def prepare_finalize(self, new: Object, old: Object) -> None:
        """Of a write to /finalize only spec.finalizers counts; kinds without that subresource never get here."""
        finalizers = (new.get("spec") or {}).get("finalizers")
        self.prepare_status_update(new, old)
        keep(new, old, "status")
        new["spec"] = {**(old.get("spec") or {}), "finalizers": finalizers or []}

    def spec_changed(self, new: Object, old: Object) -> bool:
        return new.get("spec") != old.get("spec")

    def held(self, obj: Object) -> bool:
        """Must something else happen before a deleted object can go?"""
        return bool(obj["metadata"].get("finalizers"))

    def grace_period(self, obj: Object, asked: int | None) -> int:
        """Seconds that somebody gets to end what the object stands for."""
        return 0

    def prepare_deletion(self, obj: Object) -> None:
        """Called when an object is marked for deletion."""

    def from_version(self, obj: Object, group: str) -> Object:
        """The stored form of an object that came through the given API group."""
        return obj

    def check_version(self, obj: Object, group: str) -> None:
        """ApiError when the object lacks what the API group that it came through demands."""

    def validate_version_update(self, new: Object, old: Object, group: str) -> list[Cause]:
        """What may not change through the given API group."""
        return []

    def after_tracking(self, obj: Object) -> None:
        """Called once ownership is written: for fields that are owned but not kept."""

    def warnings(self, obj: Object) -> list[str]:
        """What to tell a client that is allowed but probably not meant."""
        return []

    def deletion_warnings(self, propagation: str) -> list[str]:
        """What to tell a client that deletes; ``propagation`` is the policy asked for, "" when none was."""
        return []

    def stored_field(self, path: str) -> str:
        """The stored name of a field that a selector names."""
        return path

    def present(self, obj: Object, group: str) -> Object:
        """How the object looks in the given API group."""
        return obj

    def validate(self, obj: Object) -> list[Cause]:
        return []

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return []

    def validate_status_update(self, new: Object, old: Object) -> list[Cause]:
        return []


def keep(new: Object, old: Object, field: str) -> None:
    """Let ``field`` of ``new`` be what it is in ``old``: the same value, or absent."""
    if field in old:
        new[field] = copy.deepcopy(old[field])
    else:
        new.pop(field, None)
