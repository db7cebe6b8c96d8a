"""The Table form of lists, which ``kubectl get`` shows: columns and cells of each kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

Object = dict[str, Any]
Cells = Callable[[Object, datetime], list[Any]]
NONE = "<none>"


@dataclass(frozen=True)
class Column:
    """``priority`` above 0 is shown only in wide output."""

    name: str
    type: str = "string"
    priority: int = 0
    format: str = ""
    description: str = ""

    def to_json(self) -> Object:
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description or f"{self.name} of the object",
            "priority": self.priority,
        }


NAME = Column("Name", format="name")
AGE = Column("Age")


def table(
    objects: Sequence[Object], columns: Sequence[Column], cells: Cells, now: datetime, include: str, metadata: Object
) -> Object:
    """``include`` is None, Metadata or Object: how much of each object goes with its row."""
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.to_json() for column in columns],
        "rows": [{"cells": cells(obj, now), "object": _included(obj, include)} for obj in objects],
    }


def _included(obj: Object, include: str) -> Object | None:
    if include == "None":
        return None
    return obj if include == "Object" else partial(obj)


def partial(obj: Object) -> Object:
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def age(obj: Object, now: datetime) -> str:
    return since(obj["metadata"].get("creationTimestamp"), now)


def since(timestamp: str | None, now: datetime) -> str:
    """A time span as kubectl writes it: one or two units."""
    if not timestamp:
        return "<unknown>"
    seconds = int((now - datetime.fromisoformat(timestamp)).total_seconds())
    if seconds < 0:
        return "0s" if seconds >= -2 else "<invalid>"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years = days // 365
    return f"{years}y{days % 365}d" if years < 8 and days % 365 else f"{years}y"


def columns_for(group: str, kind: str) -> tuple[Sequence[Column], Cells]:
    return _TABLES.get((group, kind)) or ((NAME, AGE), lambda obj, now: [_name(obj), age(obj, now)])


def custom_columns(raw: Sequence[Mapping[str, Any]]) -> tuple[Sequence[Column], Cells]:
    """The additionalPrinterColumns of a CRD; without any, the age."""
    if not raw:
        return (NAME, Column("Age", "date")), lambda obj, now: [_name(obj), age(obj, now)]
    columns = [NAME] + [
        Column(
            column["name"],
            column["type"],
            column.get("priority", 0),
            column.get("format", ""),
            column.get("description", ""),
        )
        for column in raw
    ]

    def cells(obj: Object, now: datetime) -> list[Any]:
        row: list[Any] = [_name(obj)]
        for column in raw:
            value = json_path(obj, column["jsonPath"])
            row.append(since(value, now) if column["type"] == "date" else value)
        return row

    return columns, cells


_STEP = re.compile(r"\.([\w-]+)|\['([^']+)'\]|\[(\d+|\*)\]|\[\?\(@\.([\w.]+)\s*==\s*['\"]([^'\"]*)['\"]\)\]")


def json_path(obj: Any, path: str) -> Any:
    """The first value that a simple JSONPath of a printer column finds; None when there is none."""
    values = [obj]
    for match in _STEP.finditer(path.replace("\\.", "\0")):
        field = (match[1] or match[2] or "").replace("\0", ".")
        found: list[Any] = []
        for value in values:
            if field:
                if isinstance(value, dict) and field in value:
                    found.append(value[field])
            elif not isinstance(value, list):
                continue
            elif match[3] == "*":
                found += value
            elif match[3]:
                found += value[int(match[3]) : int(match[3]) + 1]
            else:
                found += [item for item in value if str(json_path(item, f".{match[4]}")) == match[5]]
        values = found
    if not values:
        return None
    value = values[0]
    return value if isinstance(value, (str, int, float, bool)) else str(value)


def _name(obj: Object) -> str:
    return str(obj["metadata"]["name"])


def _containers(spec: Object) -> tuple[str, str]:
    containers = spec.get("containers") or []
    return ",".join(c.get("name", "") for c in containers), ",".join(c.get("image", "") for c in containers)


def _selector(selector: Object | None) -> str:
    if not selector:
        return NONE
    labels = (
        selector.get("matchLabels", {}) if "matchLabels" in selector or "matchExpressions" in selector else selector
    )
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items())) or NONE


def _deployment(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}"
    names, images = _containers(spec["template"]["spec"])
    updated, available = status.get("updatedReplicas", 0), status.get("availableReplicas", 0)
    return [_name(obj), ready, updated, available, age(obj, now), names, images, _selector(spec.get("selector"))]


def _replica_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    names, images = _containers(spec["template"]["spec"])
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [_name(obj), *counts, age(obj, now), names, images, _selector(spec.get("selector"))]


def _stateful_set(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    names, images = _containers(spec["template"]["spec"])
    return [_name(obj), f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}", age(obj, now), names, images]


def _pod(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    total, ready, restarts, last_restart = len(spec.get("containers") or ()), 0, 0, ""
    for container in status.get("containerStatuses", ()):
        ready += bool(container.get("ready") and "running" in container.get("state", {}))
        restarts += container.get("restartCount", 0)
        finished = container.get("lastState", {}).get("terminated", {}).get("finishedAt") or ""
        last_restart = max(last_restart, finished)
    shown = f"{restarts} ({since(last_restart, now)} ago)" if restarts and last_restart else str(restarts)
    gates = spec.get("readinessGates", ())
    passed = sum(_condition(status, gate["conditionType"]) == "True" for gate in gates)
    wide = [status.get("podIP") or NONE, spec.get("nodeName") or NONE, status.get("nominatedNodeName") or NONE]
    wide.append(f"{passed}/{len(gates)}" if gates else NONE)
    return [_name(obj), f"{ready}/{total}", pod_reason(obj), shown, age(obj, now), *wide]


def _condition(status: Object, kind: str) -> str:
    return next((c["status"] for c in status.get("conditions", ()) if c["type"] == kind), "")


def pod_reason(pod: Object) -> str:
    """The word in kubectl's STATUS column: the phase, or what holds the pod up."""
    status = pod.get("status", {})
    reason = status.get("reason") or status.get("phase") or "Unknown"
    for condition in status.get("conditions", ()):
        if condition["type"] == "PodScheduled" and condition.get("reason") == "SchedulingGated":
            reason = "SchedulingGated"
    initialising, reason = _init_reason(pod, reason)
    if not initialising or _condition(status, "Initialized") == "True":
        running = False
        for container in reversed(status.get("containerStatuses", ())):
            state = container.get("state", {})
            waiting, terminated = state.get("waiting", {}), state.get("terminated")
            if waiting.get("reason"):
                reason = waiting["reason"]
            elif terminated is not None:
                reason = terminated.get("reason") or _exit_word(terminated)
            elif container.get("ready") and "running" in state:
                running = True
        if reason == "Completed" and running:
            reason = "Running" if _condition(status, "Ready") == "True" else "NotReady"
    if pod["metadata"].get("deletionTimestamp"):
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(reason)


def _init_reason(pod: Object, reason: str) -> tuple[bool, str]:
    inits = pod["spec"].get("initContainers", ())
    sidecars = {c["name"] for c in inits if c.get("restartPolicy") == "Always"}
    for index, container in enumerate(pod.get("status", {}).get("initContainerStatuses", ())):
        state = container.get("state", {})
        terminated, waiting = state.get("terminated"), state.get("waiting", {})
        if terminated is not None and terminated.get("exitCode") == 0:
            continue
        if container["name"] in sidecars and container.get("started"):
            continue
        if terminated is not None:
            return True, f"Init:{terminated.get('reason') or _exit_word(terminated)}"
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return True, f"Init:{waiting['reason']}"
        return True, f"Init:{index}/{len(inits)}"
    return False, reason


def _exit_word(terminated: Object) -> str:
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _service(obj: Object, now: datetime) -> list[Any]:
    spec = obj["spec"]
    ports = ",".join(_port(port) for port in spec.get("ports", ())) or NONE
    external = ",".join(spec.get("externalIPs", ()))
    if spec.get("type") == "LoadBalancer":
        external = "<pending>"
    elif spec.get("type") == "ExternalName":
        external = spec.get("externalName", "")
    address = spec.get("clusterIP") or NONE
    return [
        _name(obj),
        spec.get("type", ""),
        address,
        external or NONE,
        ports,
        age(obj, now),
        _selector(spec.get("selector")),
    ]


def _port(port: Object) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"


def _namespace(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj.get("status", {}).get("phase", ""), age(obj, now)]


def _node(obj: Object, now: datetime) -> list[Any]:
    status = obj.get("status", {})
    ready = {"True": "Ready", "False": "NotReady"}.get(_condition(status, "Ready"), "Unknown")
    if obj.get("spec", {}).get("unschedulable"):
        ready += ",SchedulingDisabled"
    prefix = "node-role.kubernetes.io/"
    labels = obj["metadata"].get("labels", {})
    roles = ",".join(sorted(key[len(prefix) :] for key in labels if key.startswith(prefix) and key != prefix)) or NONE
    info = status.get("nodeInfo", {})
    addresses = {a["type"]: a["address"] for a in status.get("addresses", ())}
    wide = [
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or "<unknown>",
        info.get("kernelVersion") or "<unknown>",
        info.get("containerRuntimeVersion") or "<unknown>",
    ]
    return [_name(obj), ready, roles, age(obj, now), info.get("kubeletVersion", ""), *wide]


def _config_map(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), str(len(obj.get("data", {})) + len(obj.get("binaryData", {}))), age(obj, now)]


def _secret(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj.get("type", ""), str(len(obj.get("data", {}))), age(obj, now)]


def _event(obj: Object, now: datetime) -> list[Any]:
    about = obj.get("involvedObject") or obj.get("regarding") or {}
    first = obj.get("firstTimestamp") or obj.get("deprecatedFirstTimestamp") or obj.get("eventTime")
    last = obj.get("lastTimestamp") or obj.get("deprecatedLastTimestamp")
    series = obj.get("series") or {}
    last = series.get("lastObservedTime") or last or first
    source = obj.get("source") or obj.get("deprecatedSource") or {}
    count = series.get("count") or obj.get("count") or obj.get("deprecatedCount") or 1
    reporter = obj.get("reportingComponent") or obj.get("reportingController") or source.get("component", "")
    message = (obj.get("message") or obj.get("note") or "").strip()
    subject = f"{about.get('kind', '').lower()}/{about.get('name', '')}"
    head = [since(last, now), obj.get("type", ""), obj.get("reason", ""), subject, about.get("fieldPath", "")]
    return [*head, reporter, message, since(first, now), count, _name(obj)]


def _budget(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    bounds = [str(spec.get(field, "N/A")) for field in ("minAvailable", "maxUnavailable")]
    return [_name(obj), *bounds, status.get("disruptionsAllowed", 0), age(obj, now)]


def _lease(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj.get("spec", {}).get("holderIdentity", ""), age(obj, now)]


def _job(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    word = next(
        (c["type"] for c in status.get("conditions", ()) if c["status"] == "True" and c["type"] in _JOB_ENDS), ""
    )
    word = {"Complete": "Complete", "Failed": "Failed", "Suspended": "Suspended"}.get(word, "Running")
    done = f"{status.get('succeeded', 0)}/{spec.get('completions', 1)}"
    duration = ""
    if status.get("startTime"):
        end = status.get("completionTime")
        duration = since(status["startTime"], datetime.fromisoformat(end) if end else now)
    names, images = _containers(spec["template"]["spec"])
    return [_name(obj), word, done, duration, age(obj, now), names, images, _selector(spec.get("selector"))]


_JOB_ENDS = ("Complete", "Failed", "Suspended")


def _slice(obj: Object, now: datetime) -> list[Any]:
    ports = ",".join(str(port.get("port", "*")) for port in obj.get("ports") or ()) or "<unset>"
    addresses = [address for endpoint in obj.get("endpoints") or () for address in endpoint.get("addresses", ())]
    shown = ",".join(addresses[:3]) + (f" + {len(addresses) - 3} more..." if len(addresses) > 3 else "")
    return [_name(obj), obj.get("addressType", ""), ports, shown or "<unset>", age(obj, now)]


def _account(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), len(obj.get("secrets", ())), age(obj, now)]


def _claim(obj: Object, now: datetime) -> list[Any]:
    spec, status = obj["spec"], obj.get("status", {})
    short = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}
    modes = ",".join(short.get(mode, mode) for mode in status.get("accessModes", ()))
    capacity = status.get("capacity", {}).get("storage", "")
    phase = "Terminating" if obj["metadata"].get("deletionTimestamp") else status.get("phase", "")
    head = [_name(obj), phase, spec.get("volumeName", ""), capacity, modes, spec.get("storageClassName", "")]
    return [*head, spec.get("volumeAttributesClassName") or "<unset>", age(obj, now), spec.get("volumeMode", "")]


def _definition(obj: Object, now: datetime) -> list[Any]:
    return [_name(obj), obj["metadata"]["creationTimestamp"]]


def _wide(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, priority=1) for name in names)


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


_POD_TEMPLATE = _wide("Containers", "Images")
_TABLES: Mapping[tuple[str, str], tuple[Sequence[Column], Cells]] = {
    ("", "ConfigMap"): ((NAME, Column("Data"), AGE), _config_map),
    ("", "Event"): (
        (*_columns("Last Seen", "Type", "Reason", "Object"), *_wide("Subobject", "Source"), Column("Message"),
         *_wide("First Seen", "Count"), Column("Name", priority=1, format="name")),
        _event,
    ),
    ("", "Namespace"): ((NAME, Column("Status"), AGE), _namespace),
    ("", "Node"): (
        (NAME, *_columns("Status", "Roles"), AGE, Column("Version"),
         *_wide("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime")),
        _node,
    ),
    ("", "PersistentVolumeClaim"): (
        (NAME, *_columns("Status", "Volume", "Capacity", "Access Modes", "StorageClass", "VolumeAttributesClass"), AGE,
         *_wide("VolumeMode")),
        _claim,
    ),
    ("", "Pod"): (
        (NAME, *_columns("Ready", "Status", "Restarts"), AGE,
         *_wide("IP", "Node", "Nominated Node", "Readiness Gates")),
        _pod,
    ),
    ("", "Secret"): ((NAME, *_columns("Type", "Data"), AGE), _secret),
    ("", "Service"): (
        (NAME, *_columns("Type", "Cluster-IP", "External-IP", "Port(s)"), AGE, *_wide("Selector")),
        _service,
    ),
    ("", "ServiceAccount"): ((NAME, Column("Secrets"), AGE), _account),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): ((NAME, Column("Created At", "date")), _definition),
    ("apps", "Deployment"): (
        (NAME, *_columns("Ready", "Up-to-date", "Available"), AGE, *_POD_TEMPLATE, *_wide("Selector")),
        _deployment,
    ),
    ("apps", "ReplicaSet"): (
        (NAME, *(Column(name, "integer") for name in ("Desired", "Current", "Ready")), AGE, *_POD_TEMPLATE,
         *_wide("Selector")),
        _replica_set,
    ),
    ("apps", "StatefulSet"): ((NAME, Column("Ready"), AGE, *_POD_TEMPLATE), _stateful_set),
    ("batch", "Job"): (
        (NAME, *_columns("Status", "Completions", "Duration"), AGE, *_POD_TEMPLATE, *_wide("Selector")),
        _job,
    ),
    ("coordination.k8s.io", "Lease"): ((NAME, Column("Holder"), AGE), _lease),
    ("discovery.k8s.io", "EndpointSlice"): ((NAME, *_columns("AddressType", "Ports", "Endpoints"), AGE), _slice),
    ("policy", "PodDisruptionBudget"): (
        (NAME, *_columns("Min Available", "Max Unavailable"), Column("Allowed Disruptions", "integer"), AGE),
        _budget,
    ),
}  # fmt: skip
_TABLES = {**_TABLES, ("events.k8s.io", "Event"): _TABLES["", "Event"]}
