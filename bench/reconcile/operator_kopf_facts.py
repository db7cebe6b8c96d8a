"""The kind of the peer's objects, read by both sides."""

from __future__ import annotations

from typing import Any

GROUP, VERSION, PLURAL = "bench.lamplight.dev", "v1", "services-of-bench"


def definition() -> dict[str, Any]:
    """The CustomResourceDefinition; unknown fields are kept, because Kopf stores its state in the object."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": PLURAL, "singular": "service-of-bench", "kind": "ServiceOfBench"},
            "versions": [version],
        },
    }
