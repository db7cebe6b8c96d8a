"""The evictor of a pool's folder: our program in the engines' own image, which is on the nodes already."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any

from apps.pools.domain.context import Context
from apps.pools.domain.engines import COMPONENT_ENGINE, engine_image
from apps.pools.domain.manifests import COMPONENT, POOL_UID, Manifest, labels_of, object_meta
from apps.pools.domain.parts import KV_EVENTS_PORT
from apps.pools.domain.tiers.folders import STORE_PATH, fingerprint, mounted, pool_folder

COMPONENT_EVICTOR = "kv-evictor"
METRICS_PORT = 9095
_PACKAGE = "lamplight_evictor"
_CODE_PATH = "/opt/lamplight"
_FILES = (
    "__init__.py", "__main__.py", "acting.py", "canary.py", "chunks.py", "evictor.py", "keeping.py", "listening.py",
    "metrics.py", "policy.py", "queue.py", "reuse.py", "room.py", "settings.py", "watching.py",
)  # fmt: skip


def evictor_name(pool: str) -> str:
    return f"{pool}-kv-evictor"


def evictor_objects(context: Context) -> tuple[Manifest, ...]:
    """ConfigMap with the program, and its Deployment."""
    name, labels = evictor_name(context.pool.name), labels_of(context.pool, COMPONENT_EVICTOR)
    files = {file: _source(file) for file in _FILES}
    code = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": object_meta(context.pool, name, labels),
        "data": files,
    }
    digest = hashlib.sha256("".join(files.values()).encode()).hexdigest()[:16]
    return code, _deployment(context, name, labels, digest)


def _deployment(context: Context, name: str, labels: dict[str, str], digest: str) -> Manifest:
    selector = {POOL_UID: context.pool.uid, COMPONENT: COMPONENT_EVICTOR}
    tier = context.inputs.tiers.tier("filesystem")
    assert tier is not None
    store = mounted(tier)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_meta(context.pool, name, labels),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": selector},
            # two would do no harm, and twice the work
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": labels, "annotations": {"lamplight.dev/code-hash": digest}},
                "spec": {
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "containers": [_container(context, store.mounts)],
                    "volumes": [
                        *(dict(volume) for volume in store.volumes),
                        {
                            "name": "code",
                            "configMap": {
                                "name": name,
                                "items": [{"key": file, "path": f"{_PACKAGE}/{file}"} for file in _FILES],
                            },
                        },
                    ],
                },
            },
        },
    }


def _container(context: Context, mounts: tuple[Any, ...]) -> dict[str, Any]:
    spec, variant = context.spec, context.spec.variants[0]
    accelerator = context.inputs.accelerators[variant.accelerator]
    return {
        "name": "evictor",
        "image": engine_image(spec, variant, accelerator, context.dialect),
        "command": ["python3", "-m", _PACKAGE],
        "args": _arguments(context),
        "env": [{"name": "PYTHONPATH", "value": _CODE_PATH}, {"name": "PYTHONUNBUFFERED", "value": "1"}],
        "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 5},
        "resources": {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": [
            *(dict(mount) for mount in mounts),
            {"name": "code", "mountPath": _CODE_PATH, "readOnly": True},
        ],
    }


def _arguments(context: Context) -> list[str]:
    tier = context.inputs.tiers.tier("filesystem")
    assert tier is not None
    pool = context.pool
    live = sorted({fingerprint(context, variant) for variant in context.spec.variants})
    return [
        f"--root={STORE_PATH}/{pool_folder(pool)}",
        f"--quota={tier.bytes}",
        f"--live={','.join(live)}",
        f"--ttl={tier.ttl_seconds or 0}",
        f"--metrics-port={METRICS_PORT}",
        f"--namespace={pool.namespace}",
        f"--selector={POOL_UID}={pool.uid},{COMPONENT}={COMPONENT_ENGINE}",
        f"--service={pool.name}-engines.{pool.namespace}.svc",
        f"--events-port={KV_EVENTS_PORT}",
    ]


def _source(file: str) -> str:
    return resources.files("apps.evictor").joinpath(file).read_text(encoding="utf-8")
