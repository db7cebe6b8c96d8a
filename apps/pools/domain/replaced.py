"""Why the pods of an adopted workload are replaced: what a pool declares of them and they lack, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.pools.domain.adoption import fitted
from apps.pools.domain.groups import pod_template
from apps.pools.domain.importing.hub_cache import HubCache, hub_cache
from apps.pools.domain.importing.reading import command_line, engine_container
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.plan import differences

_AT = "/spec/template"
# by the name of the field, in the order in which they are told
_WORDS = {
    "livenessProbe": "probes that know a cold start from a dead engine",
    "readinessProbe": "probes that know a cold start from a dead engine",
    "startupProbe": "probes that know a cold start from a dead engine",
    "lifecycle": "a drain before an engine stops",
    "terminationGracePeriodSeconds": "a drain before an engine stops",
    "volumes": "shared memory and other volumes of the pool",
    "volumeMounts": "shared memory and other volumes of the pool",
    "ports": "named ports that services and scrapes find",
    "resources": "requests and limits as the variant has them",
    "nodeSelector": "nodes of the accelerator",
    "securityContext": "a security context",
    "image": "another image",
    "command": "the command that a pool starts engines with",
}
_MOST = 12


def replaced_because(rendered: Manifest, live: Mapping[str, Any]) -> tuple[str, ...]:
    """What the pod template of `rendered` has and the one of `live` has not; empty where no pod is replaced.

    Values are never told, only names: of labels, arguments, variables and fields.
    """
    wanted, present = pod_template(fitted(rendered, live)), pod_template(live)
    paths = list(differences(wanted, present, _AT))
    found: dict[str, None] = {}
    labels = [
        path.removeprefix(f"{_AT}/metadata/labels/") for path in paths if path.startswith(f"{_AT}/metadata/labels/")
    ]
    if labels:
        found[f"labels by which its pods are found ({_listed(labels)})"] = None
    ours, theirs = _containers(wanted), _containers(present)
    for name, container in ours.items():
        other = theirs.get(name)
        if other is None:
            called = ", ".join(sorted(theirs.keys() - ours.keys())) or "nothing"
            found[f"a container named {name} (there: {called})"] = None
            continue
        more = [word.partition("=")[0] for word in container.get("args") or () if word not in (other.get("args") or ())]
        if more:
            found[f"arguments that a pool gives its engines ({_listed(more)})"] = None
        variables = _names(container, "env") - _names(other, "env")
        if variables:
            found[f"variables that a pool gives its engines ({_listed(sorted(variables))})"] = None
    for path in paths:
        if path in {f"{_AT}/spec/containers/{name}" for name in ours}:
            continue
        parts = path.removeprefix(f"{_AT}/").split("/")
        if "labels" in parts or "args" in parts or "env" in parts:
            continue
        word = next((_WORDS[part] for part in parts if part in _WORDS), None)
        found[word or path.strip("/").replace("/", ".")] = None
    return tuple(found)[:_MOST]


def fetched_anew(live: Mapping[str, Any], after: Mapping[str, Any]) -> str | None:
    """A sentence where engines of a workload no longer look where they keep what they downloaded; None else."""
    was, becomes = (_cache(pod_template(obj)) for obj in (live, after))
    if was is None or (becomes is not None and becomes.at == was.at):
        return None
    where = f"on {becomes.volume}" if becomes is not None else "in a volume that goes with each pod"
    return (
        f"engines of {live['kind']} {live['metadata']['name']} keep what they downloaded on {was.volume} and will look "
        f"for it {where}: each replica fetches its weights anew. modelCache.claim keeps them on a claim whose root is "
        "HF_HOME; HF_HUB_CACHE in engine.env names a folder of a volume that an adopted workload keeps"
    )


def _cache(template: Mapping[str, Any]) -> HubCache | None:
    pod = template.get("spec") or {}
    engine = engine_container(pod.get("containers") or [])
    return hub_cache(engine, pod, command_line(engine) or []) if engine is not None else None


def _containers(template: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {str(one.get("name")): one for one in (template.get("spec") or {}).get("containers") or ()}


def _names(container: Mapping[str, Any], field: str) -> set[str]:
    return {str(one.get("name")) for one in container.get(field) or ()}


def _listed(words: Iterable[str]) -> str:
    unique = list(dict.fromkeys(words))
    return ", ".join(unique[:6]) + (f" and {len(unique) - 6} more" if len(unique) > 6 else "")
