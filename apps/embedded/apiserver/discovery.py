"""What the server says about itself: versions, groups and resources, plain and aggregated."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain.request import negotiate
from apps.embedded.apiserver.registry import Registry, Resource

Object = dict[str, Any]
VERSION = {
    "major": "1",
    "minor": "36",
    "emulationMajor": "1",
    "emulationMinor": "36",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "35",
    "gitVersion": "v1.36.2",
    "gitCommit": "lamplight-embedded",
    "gitTreeState": "clean",
    "buildDate": "2026-11-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "cpython",
    "platform": "linux/embedded",
}
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"


def document(path: str, accept: str, registry: Registry, address: str) -> tuple[str, Object] | None:
    """(content type, body) of a discovery path; None when there is none. ApiError 406 when no form suits ``accept``."""
    if not _wants_aggregated(accept) or path not in ("/api", "/apis"):
        negotiate(accept)
    if path == "/":
        return "application/json", {"paths": _paths(registry)}
    if path == "/version":
        return "application/json", dict(VERSION)
    if path in ("/api", "/apis"):
        if _wants_aggregated(accept):
            return AGGREGATED, _aggregated([""] if path == "/api" else registry.groups(), registry)
        return "application/json", _core_versions(address) if path == "/api" else _group_list(registry)
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) == 2 and parts[1] in registry.versions(""):
        return "application/json", _resource_list("", parts[1], registry)
    if parts[0] == "apis" and len(parts) == 2 and parts[1] in registry.groups():
        return "application/json", {"kind": "APIGroup", "apiVersion": "v1", **_group(parts[1], registry)}
    if parts[0] == "apis" and len(parts) == 3 and parts[2] in registry.versions(parts[1]):
        return "application/json", _resource_list(parts[1], parts[2], registry)
    return None


def _wants_aggregated(accept: str) -> bool:
    for clause in accept.split(","):
        parameters = {part.strip() for part in clause.split(";")[1:]}
        if {"g=apidiscovery.k8s.io", "v=v2", "as=APIGroupDiscoveryList"} <= parameters:
            return True
    return False


def _paths(registry: Registry) -> list[str]:
    paths = ["/api", "/api/v1", "/apis", "/apis/", "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
    for group in registry.groups():
        paths += [f"/apis/{group}", *(f"/apis/{group}/{version}" for version in registry.versions(group))]
    return sorted(paths)


def _core_versions(address: str) -> Object:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def _group_list(registry: Registry) -> Object:
    return {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(name, registry) for name in registry.groups()],
    }


def _group(name: str, registry: Registry) -> Object:
    versions = [{"groupVersion": f"{name}/{version}", "version": version} for version in registry.versions(name)]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resource_list(group: str, version: str, registry: Registry) -> Object:
    resources: list[Object] = []
    for resource in registry:
        if (resource.group, resource.version) != (group, version):
            continue
        entry: Object = {
            "name": resource.plural,
            "singularName": resource.singular,
            "namespaced": resource.namespaced,
            "kind": resource.kind,
            "verbs": list(resource.verbs),
        }
        if resource.short_names:
            entry["shortNames"] = list(resource.short_names)
        if resource.categories:
            entry["categories"] = list(resource.categories)
        if "list" in resource.verbs:
            entry["storageVersionHash"] = _hash(resource)
        resources.append(entry)
        for sub in resource.subresources.values():
            own: Object = {
                "name": f"{resource.plural}/{sub.name}",
                "singularName": "",
                "namespaced": resource.namespaced,
                "kind": sub.kind.rsplit("/", 1)[-1] or resource.kind,
                "verbs": list(sub.verbs),
            }
            if sub.kind.count("/") == 2:
                own["group"], own["version"] = sub.kind.split("/")[:2]
            resources.append(own)
    group_version = f"{group}/{version}" if group else version
    resources.sort(key=lambda entry: entry["name"])
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}


def _hash(resource: Resource) -> str:
    """An opaque word that changes with the storage version; there is only one version here."""
    import base64
    import hashlib

    digest = hashlib.sha256(
        f"{resource.group}/{resource.storage_version or resource.version}/{resource.kind}".encode()
    ).digest()
    return base64.b64encode(digest[:8]).decode()


def _aggregated(groups: list[str], registry: Registry) -> Object:
    items = []
    for group in groups:
        versions = [
            {
                "version": version,
                "resources": [_aggregated_resource(r) for r in registry if (r.group, r.version) == (group, version)],
                "freshness": "Current",
            }
            for version in registry.versions(group)
        ]
        items.append({"metadata": {"name": group} if group else {}, "versions": versions})
    return {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items}


def _aggregated_resource(resource: Resource) -> Object:
    custom = resource.custom is not None
    own_kind = (
        {"group": resource.group, "version": resource.version, "kind": resource.kind}
        if custom
        else {"group": "", "version": "", "kind": resource.kind}
    )
    entry: Object = {
        "resource": resource.plural,
        "responseKind": own_kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": list(resource.verbs),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    if resource.subresources:
        entry["subresources"] = []
        for sub in resource.subresources.values():
            group, _, rest = sub.kind.partition("/")
            version, _, kind = rest.partition("/")
            shown = (
                {"group": group, "version": version, "kind": kind}
                if kind
                else {**own_kind, **({"kind": sub.kind} if sub.kind else {})}
            )
            entry["subresources"].append({"subresource": sub.name, "responseKind": shown, "verbs": list(sub.verbs)})
    return entry
