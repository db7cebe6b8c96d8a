"""What engines need to sleep, and to be put to sleep by nobody else: sleep mode, its endpoints, a guard before them.

vLLM's sleep endpoints are development endpoints, open to whoever reaches the port and unknown to its API key. The guard
is a middleware in the engine's own server (`--middleware`): no further hop for tokens, and nothing beside it to bypass.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, Inputs, Manifest, PlanRefused, PoolIdentity, labels_of, object_meta
from apps.pools.domain.spec import PoolSpec

__all__ = ["GUARD_PATH", "guard_name", "sleeps", "with_sleep"]

GUARD_PATH = "/etc/lamplight"
_MODULE = "lamplight_guard"


def guard_name(pool: str) -> str:
    return f"{pool}-guard"


def sleeps(spec: PoolSpec) -> bool:
    """Whether engines of the pool may be put to sleep."""
    return spec.autoscaling.mode in ("active", "advisory") and spec.autoscaling.idle == "standby"


def with_sleep(
    objects: tuple[Manifest, ...], pool: PoolIdentity, spec: PoolSpec, inputs: Inputs
) -> tuple[Manifest, ...]:
    """The objects with what sleeping needs, where the pool may sleep; else as they are. Raises PlanRefused."""
    if not sleeps(spec):
        return objects
    if "PYTHONPATH" in spec.engine.env:
        raise PlanRefused(
            "EnvironmentTaken",
            "engine.env sets PYTHONPATH, which a pool with idle: standby needs for the guard of its sleep endpoints: "
            "leave it out, or choose idle: zero",
        )
    guard = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": object_meta(pool, guard_name(pool.name), labels_of(pool, COMPONENT_ENGINE)),
        "data": {f"{_MODULE}.py": _source()},
    }
    return (guard, *(_sleeping(obj, pool, inputs) if _is_engine(obj) else obj for obj in objects))


def _is_engine(obj: Manifest) -> bool:
    return obj["kind"] == "Deployment" and obj["metadata"]["labels"].get(COMPONENT) == COMPONENT_ENGINE


def _sleeping(deployment: Manifest, pool: PoolIdentity, inputs: Inputs) -> Manifest:
    template = deployment["spec"]["template"]
    pod = template["spec"]
    engine, *others = pod["containers"]
    engine = {
        **engine,
        "args": [*engine["args"], "--enable-sleep-mode", f"--middleware={_MODULE}.Guard"],
        "env": [
            *engine["env"],
            {"name": "VLLM_SERVER_DEV_MODE", "value": "1"},
            {"name": "PYTHONPATH", "value": GUARD_PATH},
            {"name": "LAMPLIGHT_GUARD", "value": inputs.guard},
        ],
        "volumeMounts": [*engine["volumeMounts"], {"name": "guard", "mountPath": GUARD_PATH, "readOnly": True}],
    }
    volumes: list[Any] = [*pod["volumes"], {"name": "guard", "configMap": {"name": guard_name(pool.name)}}]
    spec = {**pod, "containers": [engine, *others], "volumes": volumes}
    return {**deployment, "spec": {**deployment["spec"], "template": {**template, "spec": spec}}}


def _source() -> str:
    return resources.files("apps.pools").joinpath("data", f"{_MODULE}.py").read_text(encoding="utf-8")
