"""The conditions of a namespace that is being deleted: what is left, and who holds it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, rfc3339


def deletion_conditions(
    namespace: Mapping[str, Any], remaining: Mapping[str, int], finalizers: Mapping[str, int], now: datetime
) -> list[Object]:
    """``remaining``: resource → instances left; ``finalizers``: name → instances that carry it."""
    wanted = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        _remaining(remaining),
        _finalizers(finalizers),
    ]
    known = (namespace.get("status") or {}).get("conditions")
    conditions = []
    for type_, status, reason, message in wanted:
        old = find_condition(known, type_)
        unchanged = old is not None and old["status"] == status
        conditions.append(
            {
                "type": type_,
                "status": status,
                "lastTransitionTime": old["lastTransitionTime"] if old and unchanged else rfc3339(now),
                "reason": reason,
                "message": message,
            }
        )
    return conditions


def _remaining(remaining: Mapping[str, int]) -> tuple[str, str, str, str]:
    if not remaining:
        return ("NamespaceContentRemaining", "False", "ContentRemoved", "All content successfully removed")
    what = ", ".join(f"{name} has {count} resource instances" for name, count in sorted(remaining.items()))
    return (
        "NamespaceContentRemaining",
        "True",
        "SomeResourcesRemain",
        f"Some resources are remaining: {what}",
    )


def _finalizers(finalizers: Mapping[str, int]) -> tuple[str, str, str, str]:
    if not finalizers:
        return (
            "NamespaceFinalizersRemaining",
            "False",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        )
    what = ", ".join(f"{name} in {count} resource instances" for name, count in sorted(finalizers.items()))
    return (
        "NamespaceFinalizersRemaining",
        "True",
        "SomeFinalizersRemain",
        f"Some content in the namespace has finalizers remaining: {what}",
    )
