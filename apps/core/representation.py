"""Declared objects as documents: over REST with what the server knows, in exports as people would write them."""

from __future__ import annotations

from typing import Any

from apps.core import kinds
from apps.core.domain.conditions import format_time
from apps.core.domain.documents import API_VERSION
from apps.core.domain.refusals import Invalid
from apps.core.models import DeclaredObject


def full(obj: DeclaredObject) -> dict[str, Any]:
    """The object over REST: its declaration, identity, versions and status."""
    handler = kinds.get(obj.kind)
    return {
        "apiVersion": API_VERSION,
        "kind": obj.kind,
        "metadata": {
            "name": obj.name,
            "team": obj.team,
            "labels": obj.labels,
            "annotations": obj.annotations,
            "uid": str(obj.uid),
            "generation": obj.generation,
            "version": obj.version,
            "createdAt": format_time(obj.created_at),
            "updatedAt": format_time(obj.updated_at),
            "deletionRequestedAt": format_time(obj.deletion_requested_at) if obj.deletion_requested_at else None,
        },
        "spec": ordered_spec(obj),
        "status": handler.status(obj),
    }


def exported(obj: DeclaredObject) -> dict[str, Any]:
    """The declaration alone, without uid, versions and status: apply takes it back unchanged, here or elsewhere."""
    metadata: dict[str, Any] = {"name": obj.name, "team": obj.team}
    if obj.labels:
        metadata["labels"] = obj.labels
    if obj.annotations:
        metadata["annotations"] = obj.annotations
    return {"apiVersion": API_VERSION, "kind": obj.kind, "metadata": metadata, "spec": ordered_spec(obj)}


def declaration(obj: DeclaredObject) -> dict[str, Any]:
    """What people declared: the part of an object that change records hold."""
    return {"labels": obj.labels, "annotations": obj.annotations, "spec": obj.spec}


def ordered_spec(obj: DeclaredObject) -> dict[str, Any]:
    """The stored spec in the order of its fields: storage keeps none."""
    try:
        return kinds.get(obj.kind).spec_model.from_document(obj.spec).to_document()
    except Invalid:
        # accepted by an earlier version with other rules: still to be shown as it is
        return dict(obj.spec)
