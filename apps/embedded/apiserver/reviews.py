"""Reviews: questions about identity and rights, answered at once and never stored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.embedded.apiserver.call import Call, User
from apps.embedded.apiserver.registry import Resource

Object = dict[str, Any]
MASTERS = "system:masters"
_REVIEWS = ("TokenReview", "SelfSubjectReview", "SelfSubjectAccessReview")


def is_review(resource: Resource) -> bool:
    return resource.kind in _REVIEWS


def review(call: Call, asked: Object, users: Mapping[str, User]) -> Object:
    """The review with its status filled in. ``users``: who a bearer token stands for."""
    answered: Object = {**asked, "kind": call.resource.kind, "apiVersion": call.resource.api_version}
    answered["metadata"] = {key: value for key, value in asked["metadata"].items() if key != "managedFields"}
    if call.resource.kind == "SelfSubjectReview":
        answered["metadata"]["creationTimestamp"] = call.now
        answered["status"] = {"userInfo": _show(call.user)}
    elif call.resource.kind == "SelfSubjectAccessReview":
        answered["status"] = {"allowed": MASTERS in call.user.groups}
    else:
        user = users.get(asked.get("spec", {}).get("token", ""))
        status: Object = (
            {"authenticated": True, "user": _show(user)} if user else {"user": {}, "error": "unknown token"}
        )
        answered["status"] = status
    return answered


def _show(user: User) -> Object:
    shown: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        shown["uid"] = user.uid
    return shown
