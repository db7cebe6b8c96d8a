"""Where an engine keeps what it downloads from Hugging Face: on a volume that outlives its pods, weights are there
already when the next one starts. Order of the variables: huggingface_hub (constants.py); `--download-dir`: vLLM."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.pools.domain.engines import given

# volumes that go with each pod, or that nobody downloads into
_PASSING = frozenset({"emptyDir", "ephemeral", "configMap", "secret", "projected", "downwardAPI", "image"})


@dataclass(frozen=True)
class HubCache:
    """`path`: the hub's folder, in the container. `volume`: what it lies on, in words. `at`: one text for each place.

    `claim`: the claim whose root is the container's HF_HOME, as a pool's `modelCache.claim` has it; None for any other.
    """

    path: str
    volume: str
    at: str
    claim: str | None = None


def hub_cache(container: Mapping[str, Any], pod: Mapping[str, Any], argv: Sequence[str]) -> HubCache | None:
    """The lasting cache of one engine's container, whose command line is `argv`; None where what it downloads goes with
    its pod, or is not known."""
    path, by_home = _folder(container, argv)
    if path is None:
        return None
    mount = _mount(container, path)
    volumes: list[Mapping[str, Any]] = pod.get("volumes") or []
    volume = next((v for v in volumes if mount and v.get("name") == mount.get("name")), None)
    if mount is None or volume is None:
        return None
    kind, source = next(((k, v or {}) for k, v in volume.items() if k != "name"), ("emptyDir", {}))
    if kind in _PASSING:
        return None
    root = _bare(str(mount["mountPath"]))
    sub = str(mount.get("subPath") or mount.get("subPathExpr") or "")
    inside = "/".join(part for part in (sub.strip("/"), path[len(root) :].strip("/")) if part)
    claim = source.get("claimName") if kind == "persistentVolumeClaim" else None
    plain = by_home and inside == "hub"
    return HubCache(
        path, _words(kind, source, str(volume["name"])), json.dumps([kind, source, inside], sort_keys=True),
        claim if plain else None,
    )  # fmt: skip


def keep(caches: Sequence[HubCache | None], adopted: bool, notes: list[str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What a pool of engines with these caches has to say so that they stay: `spec.modelCache`, and variables.

    {} and {} where there are none, or where nothing helps; `notes` tells which.
    """
    lasting = [one for one in caches if one is not None]
    if not lasting:
        return {}, {}
    first = lasting[0]
    where = ", ".join(dict.fromkeys(one.volume for one in lasting))
    if first.claim is not None and all(one is not None and one.at == first.at for one in caches):
        notes.append(f"what it has downloaded stays: {where} is the pool's modelCache")
        return {"claim": first.claim, "prefetch": False}, {}
    if adopted and all(one is not None and one.path == first.path for one in caches):
        notes.append(
            f"what it has downloaded stays on {where}, a volume that what is adopted keeps and that the pool does not "
            "declare: HF_HUB_CACHE has the folder. Pods of new objects (a canary, one made anew) fetch their own"
        )
        return {}, {"HF_HUB_CACHE": first.path}
    notes.append(
        f"what it has downloaded lies on {where}, where the pool's engines do not look: each replica fetches the "
        "weights anew. modelCache keeps them on a claim"
    )
    return {}, {}


def add_cache(spec: dict[str, Any], kept: tuple[dict[str, Any], dict[str, str]]) -> None:
    """Write what `keep` found into a Pool's spec."""
    cache, env = kept
    if cache:
        spec["modelCache"] = cache
    if env:
        spec["engine"] = {**spec["engine"], "env": {**spec["engine"].get("env", {}), **env}}


def _folder(container: Mapping[str, Any], argv: Sequence[str]) -> tuple[str | None, bool]:
    """The hub's folder, and whether it follows from HF_HOME or from what stands in for it; None: not to be told."""
    if said := given(argv, "--download-dir"):
        return _bare(said), False
    env = {str(entry.get("name")): entry for entry in container.get("env") or []}
    for name, below, by_home in (
        ("HF_HUB_CACHE", "", False),
        ("HUGGINGFACE_HUB_CACHE", "", False),
        ("HF_HOME", "/hub", True),
        ("XDG_CACHE_HOME", "/huggingface/hub", True),
        ("HOME", "/.cache/huggingface/hub", True),
    ):
        if name in env:
            value = env[name].get("value")
            return (_bare(str(value)) + below, by_home) if value and "$" not in str(value) else (None, False)
    # as vLLM's image has it
    return "/root/.cache/huggingface/hub", True


def _mount(container: Mapping[str, Any], path: str) -> Mapping[str, Any] | None:
    """What is mounted where `path` lies, the innermost."""
    held: list[Mapping[str, Any]] = container.get("volumeMounts") or []
    fitting = [m for m in held if (path + "/").startswith(_bare(str(m.get("mountPath", "?"))) + "/")]
    return max(fitting, key=lambda m: len(str(m["mountPath"])), default=None)


def _bare(path: str) -> str:
    return path.rstrip("/")


def _words(kind: str, source: Mapping[str, Any], name: str) -> str:
    if kind == "persistentVolumeClaim":
        return f"claim {source.get('claimName')}"
    if kind == "hostPath":
        return f"the nodes' folder {source.get('path')}"
    return f"the {kind} volume {name}"
