"""Who may do what: Roles and ClusterRoles bound to users, groups and service accounts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
GROUP = "rbac.authorization.k8s.io"
MASTERS = "system:masters"
SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True)
class Attributes:
    """What somebody wants to do: to a resource (with the subresource after a slash), or to a path when that is set."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    namespace: str = ""
    path: str = ""


@dataclass(frozen=True)
class Rights:
    """The bindings and how to find the role that one refers to. `role` takes (kind, namespace, name)."""

    role_bindings: Callable[[str], Iterable[Object]]
    cluster_role_bindings: Callable[[], Iterable[Object]]
    role: Callable[[str, str, str], Object | None]

    def allowed(self, user: str, groups: Sequence[str], wanted: Attributes) -> str | None:
        """The sentence that says which binding allows it; None when none does."""
        for binding, subject in self._bindings(user, groups, wanted.namespace):
            if any(covers(rule, wanted) for rule in self._rules(binding)):
                reference, metadata = binding["roleRef"], binding["metadata"]
                bound = f"{metadata['name']}/{metadata['namespace']}" if metadata.get("namespace") else metadata["name"]
                shown = _show(subject, metadata.get("namespace", ""))
                role = f'{reference["kind"]} "{reference["name"]}"'
                return f'RBAC: allowed by {binding["kind"]} "{bound}" of {role} to {shown}'
        return None

    def rules(self, user: str, groups: Sequence[str], namespace: str) -> list[Object]:
        """All rules that somebody has in a namespace."""
        return [rule for binding, _ in self._bindings(user, groups, namespace) for rule in self._rules(binding)]

    def _bindings(self, user: str, groups: Sequence[str], namespace: str) -> Iterable[tuple[Object, Object]]:
        bindings = [*self.cluster_role_bindings(), *(self.role_bindings(namespace) if namespace else ())]
        for binding in bindings:
            for subject in binding.get("subjects") or ():
                if _is(subject, user, groups, binding["metadata"].get("namespace", "")):
                    yield binding, subject
                    break

    def _rules(self, binding: Object) -> Iterable[Object]:
        reference = binding["roleRef"]
        role = self.role(reference["kind"], binding["metadata"].get("namespace", ""), reference["name"])
        return (role or {}).get("rules") or ()


def covers(rule: Mapping[str, Any], wanted: Attributes) -> bool:
    """Whether one rule of a role allows what is wanted."""
    if not _listed(wanted.verb, rule.get("verbs")):
        return False
    if wanted.path:
        return any(
            url in ("*", wanted.path) or (url.endswith("*") and wanted.path.startswith(url[:-1]))
            for url in rule.get("nonResourceURLs") or ()
        )
    subresource = wanted.resource.partition("/")[2]
    resources = rule.get("resources") or ()
    named = rule.get("resourceNames")
    return (
        _listed(wanted.group, rule.get("apiGroups"))
        and (_listed(wanted.resource, resources) or (bool(subresource) and f"*/{subresource}" in resources))
        and (not named or wanted.name in named)
    )


def _listed(value: str, values: Sequence[str] | None) -> bool:
    return value in (values or ()) or "*" in (values or ())


def _is(subject: Mapping[str, Any], user: str, groups: Sequence[str], namespace: str) -> bool:
    name = subject.get("name", "")
    match subject.get("kind"):
        case "User":
            return bool(name == user)
        case "Group":
            return name in groups
        case "ServiceAccount":
            return user == f"{SERVICE_ACCOUNT}{subject.get('namespace') or namespace}:{name}"
    return False


def _show(subject: Mapping[str, Any], namespace: str) -> str:
    if subject["kind"] == "ServiceAccount":
        return f'ServiceAccount "{subject["name"]}/{subject.get("namespace") or namespace}"'
    return f'{subject["kind"]} "{subject["name"]}"'
