"""Which pods would an InferencePool really catch? It selects by labels alone: a pod that carries them for another
reason (a copy for debugging, a render server, a Job) becomes an endpoint and gets requests, and a pod that two pools
select gets requests of both."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.groups import pod_template
from apps.pools.domain.manifests import COMPONENT, POOL_UID, WORKLOADS, Manifest, PlanRefused

__all__ = ["Caught", "caught", "insist_selection", "others_that_catch", "sentence"]

Pod = Mapping[str, Any]
MOST_NAMED = 5


@dataclass(frozen=True)
class Caught:
    """A pod that the pool's selector matches. `fault`: why it should not be there, "" where it should."""

    name: str
    fault: str = ""

    def to_json(self) -> dict[str, Any]:
        return {"pod": self.name, "fault": self.fault or None}


def caught(inference_pool: Mapping[str, Any], pods: Iterable[Pod]) -> tuple[Caught, ...]:
    """The pods that an InferencePool would send requests to, those that it should not first.

    `pods`: of its namespace, as they live; pods that have finished or are going are no endpoints.
    """
    spec = inference_pool["spec"]
    ports = [int(port["number"]) for port in spec["targetPorts"]]
    uid = (inference_pool["metadata"].get("labels") or {}).get(POOL_UID)
    found = [
        Caught(pod["metadata"]["name"], _fault(pod, ports, uid))
        for pod in pods
        if _selects(inference_pool, pod["metadata"].get("labels") or {}) and _stays(pod)
    ]
    return tuple(sorted(found, key=lambda row: (not row.fault, row.name)))


def others_that_catch(
    inference_pools: Iterable[Mapping[str, Any]], objects: Sequence[Manifest], uid: str
) -> tuple[str, ...]:
    """Names of InferencePools of the namespace, not of this pool, that would catch the engines that are rendered."""
    labels = [pod_template(obj)["metadata"]["labels"] for obj in objects if _engines(obj)]
    return tuple(
        sorted(
            pool["metadata"]["name"]
            for pool in inference_pools
            if (pool["metadata"].get("labels") or {}).get(POOL_UID) != uid
            and any(_selects(pool, each) for each in labels)
        )
    )


def insist_selection(objects: Sequence[Manifest]) -> None:
    """A rendered InferencePool catches the engines that are rendered with it and no other pod. Raises PlanRefused."""
    pool = next((obj for obj in objects if obj["kind"] == "InferencePool"), None)
    if pool is None:
        return
    for obj in objects:
        template = _template(obj)
        if template is None:
            continue
        labels = (template.get("metadata") or {}).get("labels") or {}
        selects, name = _selects(pool, labels), f"{obj['kind']} {obj['metadata']['name']}"
        if selects and not _engines(obj):
            raise PlanRefused(
                "SelectorMismatch",
                f"the InferencePool would send requests to the pods of {name}, which are no engines: take the labels "
                "that it selects by off them",
            )
        if _engines(obj) and not selects:
            wanted = pool["spec"]["selector"]["matchLabels"]
            missing = ", ".join(f"{key}={value}" for key, value in wanted.items() if labels.get(key) != value)
            raise PlanRefused(
                "SelectorMismatch",
                f"the InferencePool would not find the pods of {name}: they lack {missing}",
            )


def sentence(rows: Iterable[Caught], others: Sequence[str] = ()) -> str:
    """What is wrong about what is selected, "" where nothing is."""
    wrong = [row for row in rows if row.fault]
    said = [f"the InferencePool catches pod {row.name}: {row.fault}" for row in wrong[:MOST_NAMED]]
    if len(wrong) > MOST_NAMED:
        said.append(f"and {len(wrong) - MOST_NAMED} more pods that it should not")
    said += [
        f"InferencePool {name} of the namespace catches this pool's engines too, and sends them its own requests: "
        "narrow its selector"
        for name in others[:MOST_NAMED]
    ]
    return "; ".join(said)


def _selects(inference_pool: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = ((inference_pool.get("spec") or {}).get("selector") or {}).get("matchLabels") or {}
    return bool(wanted) and wanted.items() <= labels.items()


def _engines(obj: Mapping[str, Any]) -> bool:
    if obj["kind"] not in WORKLOADS:
        return False
    labels = (pod_template(obj).get("metadata") or {}).get("labels") or {}
    return labels.get(COMPONENT) == COMPONENT_ENGINE


def _template(obj: Manifest) -> Mapping[str, Any] | None:
    if obj["kind"] in WORKLOADS:
        return pod_template(obj)
    template = (obj.get("spec") or {}).get("template")
    return template if isinstance(template, Mapping) else None


def _stays(pod: Pod) -> bool:
    phase = (pod.get("status") or {}).get("phase")
    return phase not in ("Succeeded", "Failed") and not pod["metadata"].get("deletionTimestamp")


def _fault(pod: Pod, ports: list[int], uid: str | None) -> str:
    labels = pod["metadata"].get("labels") or {}
    if labels.get(POOL_UID) != uid:
        whose = labels.get("lamplight.dev/pool")
        return f"it is of {f'pool {whose}' if whose else 'another pool'}: select by a label of this pool alone"
    if labels.get(COMPONENT) != COMPONENT_ENGINE:
        what = labels.get(COMPONENT) or "something else"
        return f"it is no engine but {what}: take the label llm-d.ai/inference-serving off it"
    if not pod["metadata"].get("ownerReferences"):
        return "nobody made it but a person (a copy for debugging?): take the pool's labels off it, or delete it"
    open_ports = {
        int(port["containerPort"])
        for container in (*pod["spec"].get("containers", ()), *(pod["spec"].get("initContainers") or ()))
        for port in container.get("ports") or ()
    }
    closed = [str(port) for port in ports if port not in open_ports]
    if closed:
        return f"it does not listen on port {', '.join(closed)}, where requests would be sent"
    return ""
