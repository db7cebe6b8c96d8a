"""Derive ``data/types.json`` from the OpenAPI v3 documents of a Kubernetes API server.

``python -m apps.embedded.apiserver.derive_types ../shared/k8s/openapi`` rewrites the table. Only facts are taken: the
names of fields, their types, how lists and maps merge, and which fields the server always writes. The notation is that
of ``domain/schema.py``.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
SCALARS = {
    ("string", None): "string",
    ("string", "byte"): "bytes",
    ("integer", "int32"): "int32",
    ("integer", "int64"): "int64",
    ("number", "double"): "double",
    ("boolean", None): "bool",
}
WELL_KNOWN = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "quantity",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "time",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "microtime",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "intstr",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "any",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "any",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "any",
    # A schema inside a CRD is taken as one piece: nobody merges into it.
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps": "any atomic",
}

# What the documents do not say: scalars that are no pointers in Go (a zero is dropped when the object is written)...
ZERO_DROPPED = {
    "Container": "stdin stdinOnce tty",
    "ContainerPort": "hostPort",
    "ContainerStateTerminated": "signal",
    "DeploymentSpec": "minReadySeconds paused",
    "DeploymentStatus": "observedGeneration replicas updatedReplicas readyReplicas availableReplicas"
    " unavailableReplicas",
    "Event": "count",
    "EventSeries": "count",
    "EphemeralContainer": "stdin stdinOnce tty",
    "HorizontalPodAutoscalerStatus": "currentReplicas",
    "JobStatus": "active succeeded failed",
    "LeaseSpec": "",
    "NodeSpec": "unschedulable",
    "ObjectMeta": "generation",
    "PodCondition": "observedGeneration",
    "PodSpec": "hostIPC hostNetwork hostPID",
    "PodStatus": "observedGeneration",
    "PersistentVolumeClaimVolumeSource": "readOnly",
    "PriorityClass": "globalDefault",
    "Probe": "failureThreshold initialDelaySeconds periodSeconds successThreshold timeoutSeconds",
    "ReplicaSetSpec": "minReadySeconds",
    "ReplicaSetStatus": "availableReplicas fullyLabeledReplicas observedGeneration readyReplicas",
    "StatefulSetSpec": "minReadySeconds",
    "StatefulSetStatus": "currentReplicas observedGeneration readyReplicas updatedReplicas",
    "PodDisruptionBudgetStatus": "observedGeneration",
    "CustomResourceDefinitionSpec": "preserveUnknownFields",
    "CustomResourceColumnDefinition": "priority",
    "CustomResourceDefinitionVersion": "deprecated",
    "ScaleSpec": "replicas",
    "ServicePort": "nodePort",
    "ServiceSpec": "healthCheckNodePort publishNotReadyAddresses",
    "VolumeMount": "readOnly",
}
# ... strings that are pointers (an empty one is kept) ...
EMPTY_KEPT = {
    "EndpointPort": "name appProtocol",
    "Endpoint": "hostname nodeName zone deprecatedTopology",
    "LeaseSpec": "holderIdentity strategy preferredHolder",
    "PersistentVolumeClaimSpec": "storageClassName volumeMode volumeAttributesClassName",
    "OwnerReference": "",
}
# ... times that are written as null when nobody set them, and lists, maps and strings that are written when empty.
ALWAYS = {
    "PodCondition": "lastProbeTime lastTransitionTime",
    "DeploymentCondition": "lastUpdateTime lastTransitionTime",
    "ReplicaSetCondition": "lastTransitionTime",
    "StatefulSetCondition": "lastTransitionTime",
    "JobCondition": "lastProbeTime lastTransitionTime",
    "NodeCondition": "lastHeartbeatTime lastTransitionTime",
    "NamespaceCondition": "lastTransitionTime",
    "PersistentVolumeClaimCondition": "lastProbeTime lastTransitionTime",
    "CustomResourceDefinitionCondition": "lastTransitionTime",
    "ContainerStateRunning": "startedAt",
    "ContainerStateTerminated": "startedAt finishedAt",
    "core.Event": "firstTimestamp lastTimestamp eventTime reportingComponent reportingInstance",
    "events.Event": "deprecatedFirstTimestamp deprecatedLastTimestamp eventTime",
    "EventSeries": "lastObservedTime",
    "EndpointSlice": "endpoints ports",
    "HorizontalPodAutoscalerStatus": "currentMetrics",
    "HorizontalPodAutoscalerCondition": "lastTransitionTime",
    "Role": "rules",
    "ClusterRole": "rules",
}


def main(folder: Path) -> None:
    schemas: dict[str, Any] = {}
    for document in sorted(folder.glob("*.json.gz")):
        schemas.update(json.loads(gzip.decompress(document.read_bytes()))["components"]["schemas"])
    roots = {
        _gvk(gvk): name for name, schema in schemas.items() for gvk in schema.get("x-kubernetes-group-version-kind", [])
    }
    kinds = json.loads((DATA / "kinds.json").read_text())["kinds"]
    wanted = {(kind["group"], kind["version"], kind["kind"]) for kind in kinds}
    wanted |= {("autoscaling", "v1", "Scale"), ("", "v1", "Binding"), ("policy", "v1", "Eviction")}
    queue = [roots[gvk] for gvk in sorted(wanted)]
    types: dict[str, Any] = {}
    while queue:
        full = queue.pop()
        if _short(full) in types:
            continue
        fields: dict[str, str] = {}
        schema = schemas[full]
        for field, spec in schema.get("properties", {}).items():
            expression, references = _expression(spec, schemas)
            queue += references
            if spec.get("default") == {} or field in schema.get("required", []) or _listed(ALWAYS, full, field):
                pointer = spec.get("default") is None and not _is_scalar(expression)
                expression += " !null" if pointer else " !"
            elif _listed(ZERO_DROPPED, full, field) or _listed(EMPTY_KEPT, full, field):
                expression += " ?"
            fields[field] = expression
        types[_short(full)] = {
            "fields": fields,
            **({"atomic": True} if schema.get("x-kubernetes-map-type") == "atomic" else {}),
        }
    table = {
        "source": "derived by derive_types.py from the OpenAPI v3 documents of kube-apiserver v1.36.2 (Apache-2.0):"
        " names and types only",
        "roots": {"/".join(gvk): _short(roots[gvk]) for gvk in sorted(wanted)},
        "types": dict(sorted(types.items())),
    }
    lines = json.dumps(table, indent=1, ensure_ascii=False)
    (DATA / "types.json").write_text(lines + "\n")


def _is_scalar(expression: str) -> bool:
    return expression.split()[0] in {*SCALARS.values(), "quantity", "time", "microtime", "intstr"}


def _listed(table: dict[str, str], full: str, field: str) -> bool:
    group, _, name = full.split(".")[-3:]
    return field in (table.get(name) or table.get(f"{group}.{name}") or "").split()


def _gvk(entry: dict[str, str]) -> tuple[str, str, str]:
    return entry["group"], entry["version"], entry["kind"]


def _short(full: str) -> str:
    group, version, name = full.split(".")[-3:]
    return name if (group, version) in {("core", "v1"), ("meta", "v1"), ("apps", "v1")} else f"{group}.{version}.{name}"


def _expression(spec: dict[str, Any], schemas: dict[str, Any]) -> tuple[str, list[str]]:
    """The type in our notation and the full names of the types that it refers to."""
    reference = spec.get("$ref") or next((part["$ref"] for part in spec.get("allOf", []) if "$ref" in part), None)
    words = ["atomic"] if spec.get("x-kubernetes-map-type") == "atomic" else []
    references: list[str] = []
    if reference is not None:
        full = reference.rsplit("/", 1)[-1]
        base = WELL_KNOWN.get(full)
        if base is None:
            base, references = _short(full), [full]
    elif spec.get("type") == "array":
        inner, references = _expression(spec["items"], schemas)
        base = "[]" + inner
        words += _list_words(spec, schemas.get(references[0], {}) if references else {})
    elif spec.get("type") == "object" and "additionalProperties" in spec:
        inner, references = _expression(spec["additionalProperties"], schemas)
        base = "{}" + inner
    elif spec.get("type") == "object":
        base = "any"
    elif "type" in spec:
        kind, layout = spec["type"], spec.get("format")
        base = SCALARS.get((kind, layout)) or SCALARS[(kind, None)]
    else:
        base = "any"
    words += _patch_words(spec)
    return " ".join([base, *words]), references


def _list_words(spec: dict[str, Any], items: dict[str, Any]) -> list[str]:
    if spec.get("x-kubernetes-list-type") == "map":
        keys = []
        for key in spec["x-kubernetes-list-map-keys"]:
            default = items.get("properties", {}).get(key, {}).get("default")
            keys.append(key if default is None else f"{key}={default}")
        return ["map:" + ",".join(keys)]
    return [spec["x-kubernetes-list-type"]] if spec.get("x-kubernetes-list-type") == "set" else []


def _patch_words(spec: dict[str, Any]) -> list[str]:
    words = []
    for strategy in filter(None, spec.get("x-kubernetes-patch-strategy", "").split(",")):
        key = spec.get("x-kubernetes-patch-merge-key")
        words.append(f"merge:{key}" if strategy == "merge" and key else strategy)
    return words


if __name__ == "__main__":
    main(Path(sys.argv[1]))
