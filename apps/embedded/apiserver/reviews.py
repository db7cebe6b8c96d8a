"""Reviews: questions about identity and rights, answered at once and never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.embedded.apiserver.call import Call, User
from apps.embedded.apiserver.domain.rbac import MASTERS, Attributes, Rights
from apps.embedded.apiserver.registry import Resource
from apps.embedded.apiserver.store import Store

Object = dict[str, Any]
_SELF = ("SelfSubjectReview", "SelfSubjectAccessReview", "SelfSubjectRulesReview")
_REVIEWS = ("TokenReview", "SubjectAccessReview", "LocalSubjectAccessReview", *_SELF)
_RBAC = "rbac.authorization.k8s.io"
# what every authenticated user may do (the ClusterRoles system:basic-user and system:discovery of a real cluster)
_BASIC: list[Object] = [
    {"verbs": ["create"], "apiGroups": ["authorization.k8s.io"],
     "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]},
    {"verbs": ["create"], "apiGroups": ["authentication.k8s.io"], "resources": ["selfsubjectreviews"]},
]  # fmt: skip
_BASIC_PATHS: list[Object] = [
    {"verbs": ["get"], "nonResourceURLs": ["/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi",
                                           "/openapi/*", "/readyz", "/version", "/version/"]},
]  # fmt: skip


def is_review(resource: Resource) -> bool:
    return resource.kind in _REVIEWS


def is_own_review(resource: Resource) -> bool:
    """A question about oneself, which everybody with a name may ask."""
    return resource.kind in _SELF


def rights_in(store: Store) -> Rights:
    """The rights that the stored roles and bindings give."""

    def role(kind: str, namespace: str, name: str) -> Object | None:
        if kind == "ClusterRole":
            return store.get(f"{_RBAC}/clusterroles", "", name)
        return store.get(f"{_RBAC}/roles", namespace, name)

    return Rights(
        role_bindings=lambda namespace: store.objects(f"{_RBAC}/rolebindings", namespace),
        cluster_role_bindings=lambda: store.objects(f"{_RBAC}/clusterrolebindings"),
        role=role,
    )


def review(call: Call, asked: Object, users: Mapping[str, User], rights: Rights) -> Object:
    """The review with its status filled in. ``users``: who a bearer token stands for."""
    answered: Object = {**asked, "kind": call.resource.kind, "apiVersion": call.resource.api_version}
    answered["metadata"] = {key: value for key, value in asked["metadata"].items() if key != "managedFields"}
    spec = asked.get("spec", {})
    match call.resource.kind:
        case "SelfSubjectReview":
            answered["metadata"]["creationTimestamp"] = call.now
            answered["status"] = {"userInfo": _show(call.user)}
        case "SelfSubjectAccessReview":
            answered["status"] = _access(call.user.name, call.user.groups, spec, rights)
        case "SubjectAccessReview" | "LocalSubjectAccessReview":
            answered["status"] = _access(spec.get("user", ""), spec.get("groups") or (), spec, rights)
        case "SelfSubjectRulesReview":
            answered["spec"] = {}
            answered["status"] = _rules(call.user, spec.get("namespace", ""), rights)
        case _:
            user = users.get(spec.get("token", ""))
            answered["status"] = (
                {"authenticated": True, "user": _show(user)} if user else {"user": {}, "error": "unknown token"}
            )
    return answered


def _access(user: str, groups: Sequence[str], spec: Object, rights: Rights) -> Object:
    if MASTERS in groups:
        return {"allowed": True}
    reason = rights.allowed(user, groups, _attributes(spec))
    return {"allowed": True, "reason": reason} if reason else {"allowed": False}


def _attributes(spec: Object) -> Attributes:
    path = spec.get("nonResourceAttributes")
    if path:
        return Attributes(path.get("verb", ""), path=path.get("path", ""))
    asked = spec.get("resourceAttributes") or {}
    resource = asked.get("resource", "")
    if asked.get("subresource"):
        resource += f"/{asked['subresource']}"
    return Attributes(
        asked.get("verb", ""), asked.get("group", ""), resource, asked.get("name", ""), asked.get("namespace", "")
    )


def _rules(user: User, namespace: str, rights: Rights) -> Object:
    everything = MASTERS in user.groups
    found = rights.rules(user.name, user.groups, namespace)
    resources = [rule for rule in found if not rule.get("nonResourceURLs")]
    paths = [rule for rule in found if rule.get("nonResourceURLs")]
    if everything:
        resources = [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}, *resources]
        paths = [{"verbs": ["*"], "nonResourceURLs": ["*"]}, *paths]
    return {
        "resourceRules": [*_BASIC, *resources],
        "nonResourceRules": [*_BASIC_PATHS, *paths],
        "incomplete": False,
    }


def _show(user: User) -> Object:
    shown: Object = {"username": user.name, "groups": list(user.groups)}
    if user.uid:
        shown["uid"] = user.uid
    return shown
