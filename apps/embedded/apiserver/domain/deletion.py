"""DeleteOptions, and which finalizers a deletion leaves on an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from apps.embedded.apiserver.domain.request import integer
from apps.embedded.apiserver.domain.status import Cause, bad_request, invalid

Object = dict[str, Any]
ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
POLICIES = ("Foreground", "Background", "Orphan")


@dataclass(frozen=True)
class DeleteOptions:
    grace_period_s: int | None = None
    propagation: str = ""
    uid: str = ""
    resource_version: str = ""
    dry_run: bool = False


def parse_delete_options(body: bytes, query: Mapping[str, str]) -> DeleteOptions:
    """Options come in the body or, if there is none, in the query. ApiError 400 or 422 when they make no sense."""
    try:
        stated: Object = orjson.loads(body) if body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the DeleteOptions in the body are not JSON: {error}") from None
    if not stated:
        stated = {key: query[key] for key in ("propagationPolicy",) if key in query}
        grace = integer(query, "gracePeriodSeconds")
        if grace is not None:
            stated["gracePeriodSeconds"] = grace
        if "orphanDependents" in query:
            stated["orphanDependents"] = query["orphanDependents"] == "true"
        if "dryRun" in query:
            stated["dryRun"] = [query["dryRun"]]
    policy = stated.get("propagationPolicy") or ""
    causes = []
    if policy and stated.get("orphanDependents") is not None:
        why = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        causes.append(Cause("FieldValueInvalid", why, "propagationPolicy"))
    elif policy and policy not in POLICIES:
        supported = ", ".join(f'"{value}"' for value in (*POLICIES, "nil"))
        why = f'Unsupported value: "{policy}": supported values: {supported}'
        causes.append(Cause("FieldValueNotSupported", why, "propagationPolicy"))
    if causes:
        raise invalid("meta.k8s.io", "DeleteOptions", "", causes)
    if stated.get("orphanDependents") is not None:
        policy = "Orphan" if stated["orphanDependents"] else "Background"
    preconditions = stated.get("preconditions") or {}
    return DeleteOptions(
        grace_period_s=stated.get("gracePeriodSeconds"),
        propagation=policy,
        uid=preconditions.get("uid") or "",
        resource_version=preconditions.get("resourceVersion") or "",
        dry_run="All" in (stated.get("dryRun") or ()),
    )


def finalizers_for(obj: Object, options: DeleteOptions, default: str) -> list[str]:
    """What the object's finalizers become: its own, plus or minus the garbage collector's for the policy asked for."""
    own = list(obj["metadata"].get("finalizers", ()))
    if not options.propagation:
        if ORPHAN in own or FOREGROUND in own or default == "Background":
            return own
        return [*own, ORPHAN]
    kept = [finalizer for finalizer in own if finalizer not in (ORPHAN, FOREGROUND)]
    wanted = {"Orphan": [ORPHAN], "Foreground": [FOREGROUND], "Background": []}[options.propagation]
    return kept + wanted
