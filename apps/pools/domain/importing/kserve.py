"""KServe's LLMInferenceServices: what they say of their engines, and what only KServe's controller makes of it.

Fields: `serving.kserve.io/v1alpha2` (and v1alpha1, which has fewer). A service's pods are KServe's, so the pool is made
beside them. Its presets start `vllm serve` with the container's arguments and those of a variable.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from apps.pools.domain.importing.proposal import Proposal, Surroundings, name_of
from apps.pools.domain.importing.reading import documents_of, read_engine
from apps.pools.domain.importing.releases import Member, of_release

# the presets' script puts its value behind the container's arguments
_MORE_ARGS = "VLLM_ADDITIONAL_ARGS"
_DEVICE_CLASS = "serving.kserve.io/exp-dra-device-class"


def of_service(obj: Mapping[str, Any], around: Surroundings) -> Proposal:
    """From a KServe LLMInferenceService: its own controller keeps its Deployments, so the pool is made beside them."""
    spec, name = obj.get("spec") or {}, obj["metadata"]["name"]
    notes = _not_carried(obj)
    said = spec.get("model") or {}
    uri, revision = _source(str(said.get("uri") or ""))
    pool = name_of(f"{name}-pool")
    if spec.get("prefill"):
        roles = [_role(spec, "decode", uri), _role(spec["prefill"], "prefill", uri)]
        found = of_release(roles, around, pool=pool)
        notes, documents = [*found.notes, *notes], found.documents
    else:
        member = _role(spec, "both", uri)
        reading = read_engine(member.container, member.pod, around, notes)
        document, model = documents_of(pool, "main", reading, around)
        documents = (model, document) if model is not None else (document,)
    for variant in documents[-1]["spec"]["variants"]:
        part = spec["prefill"] if spec.get("prefill") and variant.get("role") == "prefill" else spec
        variant["replicas"] = _replicas(part)
    for model in documents[:-1]:
        model["spec"] |= {"source": uri} if "://" in uri else {}
        model["spec"] |= {"revision": revision} if revision else {}
        # as KServe has it where nothing is said
        model["spec"]["servedName"] = str(said.get("name") or name)
    last = f"KServe's controller keeps LLMInferenceService {name}: the pool is made beside it, delete it later"
    return Proposal("kserve", "LLMInferenceService", name, documents, (*notes, last))


def _source(uri: str) -> tuple[str, str]:
    """Where the weights are, and their revision: `hf://organisation/model:revision`."""
    if not uri.startswith("hf://"):
        return uri, ""
    source, _, revision = uri.removeprefix("hf://").partition(":")
    return f"hf://{source}", revision


def _replicas(part: Mapping[str, Any]) -> dict[str, int]:
    """Bounds of one workload: those of its scaling, else its number of replicas."""
    scaling = part.get("scaling") or {}
    if scaling:
        least = int(scaling.get("minReplicas") or 1)
        return {"min": least, "max": max(least, int(scaling.get("maxReplicas") or 1))}
    replicas = part.get("replicas")
    number = 1 if replicas is None else int(replicas)
    return {"min": number, "max": max(1, number)}


def _not_carried(obj: Mapping[str, Any]) -> list[str]:
    """What the documents do not have, in sentences."""
    spec = obj.get("spec") or {}
    parts = [spec, *([spec["prefill"]] if spec.get("prefill") else [])]
    notes: list[str] = []
    if spec.get("baseRefs"):
        notes.append(
            "it inherits from baseRefs, which only KServe's controller resolves: check image, args and resources"
        )
    if not all(_container(part).get("image") for part in parts):
        notes.append("its image is the one of KServe's presets: Lamplight's default stands in its place")
    if any(part.get("worker") for part in parts):
        notes.append("its worker pods are not carried over: a replica of the pool is one pod")
    if adapters := ((spec.get("model") or {}).get("lora") or {}).get("adapters"):
        named = ", ".join(str(one.get("name") or one.get("uri")) for one in adapters)
        notes.append(f"its LoRA adapters ({named}) are not carried over: declare them as loraAdapters of the Model")
    if any(part.get("kvCacheOffloading") for part in parts):
        notes.append("its kvCacheOffloading is not carried over: the pool's offload does the same, see there")
    if any(part.get("scaling") for part in parts):
        notes.append(
            "KServe scales it by rules of its own: the pool keeps their bounds, and scales as autoscaling says"
        )
    device = (obj["metadata"].get("annotations") or {}).get(_DEVICE_CLASS)
    if device or any((part.get("template") or {}).get("resourceClaims") for part in parts):
        which = f" of device class {device}" if device else ""
        notes.append(
            f"its accelerators are devices{which} that it claims, which are not read: set variants[].accelerator, and "
            "devices to claim"
        )
    return notes


def _container(part: Mapping[str, Any]) -> dict[str, Any]:
    containers = (part.get("template") or {}).get("containers") or [{}]
    return dict(next((c for c in containers if c.get("name") == "main"), containers[0]))


def _role(part: Mapping[str, Any], role: str, uri: str) -> Member:
    """What a service, or its prefill, says of one workload."""
    container = _container(part)
    env = container.get("env") or []
    parallelism = part.get("parallelism") or {}
    args = [str(word) for word in container.get("args") or []]
    args += [
        f"--{word}-parallel-size={parallelism[word]}"
        for word in ("tensor", "pipeline", "data")
        if parallelism.get(word)
    ]
    for entry in env:
        if entry.get("name") == _MORE_ARGS and "value" in entry:
            args += _words(str(entry["value"]))
    container |= {
        "command": ["vllm", "serve"],
        "args": [uri.removeprefix("hf://") or "unknown", *args],
        "env": [entry for entry in env if entry.get("name") != _MORE_ARGS or "value" not in entry],
    }
    replicas = part.get("replicas")
    return Member(
        name="",
        kind="LLMInferenceService",
        role=role,
        labels={},
        container=container,
        pod=part.get("template") or {},
        replicas=1 if replicas is None else int(replicas),
        free=False,
    )


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()
