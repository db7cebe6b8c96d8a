"""Taking an existing workload over as it stands: whose it is, and how our rendering fits onto it.

A Deployment's selector cannot change, so an adopted one keeps its own, and its pods carry our labels beside those. A
LeaderWorkerSet has none; one whose leader has a template of its own is not taken over: a pool says nothing of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.pools.domain.groups import is_group, pod_template
from apps.pools.domain.manifests import COMPONENT, POOL_UID, VARIANT, WORKLOADS, Manifest

ADOPTED = "lamplight.dev/adopted"
# a person allows it, by naming the managers whose fields may be taken over (comma separated)
TAKE_OWNERSHIP = "lamplight.dev/take-ownership-from"
_OURS = frozenset({"lamplight", "lamplight-scaler"})
# they write what belongs to them on everybody's objects
_CLUSTERS_OWN = frozenset({"kube-controller-manager", "kube-scheduler", "kubelet"})
# our Services and disruption budgets find pods by these
_NEEDED = frozenset({POOL_UID, VARIANT, COMPONENT})


def present_managers(live: Mapping[str, Any]) -> frozenset[str]:
    """Managers that declared an object as it is, without the cluster's own and ours."""
    entries = (live.get("metadata") or {}).get("managedFields") or []
    named = {str(e.get("manager", "")) for e in entries if not e.get("subresource")}
    return frozenset(named) - _OURS - _CLUSTERS_OWN - {""}


def adoptable(live: Mapping[str, Any], allowed: frozenset[str]) -> bool:
    """Whether a foreign object may be taken over: a person named all who declared it, and no controller keeps it."""
    metadata = live.get("metadata") or {}
    kept = any(owner.get("controller") for owner in metadata.get("ownerReferences") or [])
    managers = present_managers(live)
    return (
        live.get("kind") in WORKLOADS
        and not (live.get("spec") or {}).get("leaderWorkerTemplate", {}).get("leaderTemplate")
        and not kept
        and POOL_UID not in (metadata.get("labels") or {})
        and bool(managers)
        and managers <= allowed
    )


def fitted(manifest: Manifest, live: Mapping[str, Any] | None) -> Manifest:
    """The rendered workload as it is applied onto one that is or was adopted; any other manifest as it is."""
    if manifest["kind"] not in WORKLOADS or live is None:
        return manifest
    labels = (live.get("metadata") or {}).get("labels") or {}
    if labels.get(ADOPTED) != "true" and POOL_UID in labels:
        return manifest
    metadata = {**manifest["metadata"], "labels": {**manifest["metadata"]["labels"], ADOPTED: "true"}}
    if is_group(manifest):
        worker = _renamed(pod_template(manifest), pod_template(live))
        groups = {**manifest["spec"]["leaderWorkerTemplate"], "workerTemplate": worker}
        return {**manifest, "metadata": metadata, "spec": {**manifest["spec"], "leaderWorkerTemplate": groups}}
    selector = (live.get("spec") or {}).get("selector") or {}
    match = selector.get("matchLabels") or {}
    if match.keys() & _NEEDED:
        return manifest  # another's word for what we select by: only a new object will do
    template = _renamed(manifest["spec"]["template"], (live.get("spec") or {}).get("template") or {})
    pod_labels = {**template["metadata"]["labels"], **match}
    return {
        **manifest,
        "metadata": metadata,
        "spec": {
            **manifest["spec"],
            "selector": selector,
            "template": {**template, "metadata": {**template["metadata"], "labels": pod_labels}},
        },
    }


def _renamed(template: Manifest, live: Mapping[str, Any]) -> Manifest:
    """The pod template with its engine under the name that it has there: under another one it would be a second
    engine in the same pod, since a server-side apply takes away no container of somebody else's."""
    containers = template["spec"]["containers"]
    there = (live.get("spec") or {}).get("containers") or []
    names = {one.get("name") for one in there}
    engines = [str(one["name"]) for one in there if len(there) == 1 or _is_engine(one)]
    if containers[0]["name"] in names or len(engines) != 1:
        return template
    renamed = [{**containers[0], "name": engines[0]}, *containers[1:]]
    return {**template, "spec": {**template["spec"], "containers": renamed}}


def _is_engine(container: Mapping[str, Any]) -> bool:
    words = [container.get("image"), *(container.get("command") or ()), *(container.get("args") or ())]
    return any("vllm" in str(word) for word in words)
