"""HorizontalPodAutoscalers on a cluster without a metrics API: each says whether it finds what it scales, and that it
cannot see its metric.

That is what the controller of a real cluster without metrics adapter answers. It never writes replicas here.
"""

from __future__ import annotations

from apps.embedded.client import KubeError
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import Object, find_condition, is_deleting, rfc3339
from apps.embedded.informer import Key

AUTOSCALERS = ("autoscaling", "v2", "horizontalpodautoscalers")
SCALABLE = {("apps", "Deployment"): "deployments", ("apps", "ReplicaSet"): "replicasets",
            ("apps", "StatefulSet"): "statefulsets"}  # fmt: skip
PERIOD_S = 15.0
_FAILED = {
    "External": ("FailedGetExternalMetric", "external"),
    "Object": ("FailedGetObjectMetric", "object"),
    "Pods": ("FailedGetPodsMetric", "pods"),
    "Resource": ("FailedGetResourceMetric", "resource"),
    "ContainerResource": ("FailedGetContainerResourceMetric", "container resource"),
}


class AutoscalerController(Controller):
    name = "horizontal-pod-autoscaler"
    workers = 1

    def watch(self) -> None:
        self.cluster.autoscalers.informer.on_change(lambda change: self.queue.add(change.key))

    async def sync(self, key: Key) -> float | None:
        found = self.cluster.autoscalers.get(*key)
        if found is None or is_deleting(found):
            return None
        status: Object = {**(found.get("status") or {})}
        status["conditions"] = [dict(condition) for condition in status.get("conditions") or ()]
        scale, why = await self._scale(found)
        if scale is None:
            message = f"the HPA controller was unable to get the target's current scale: {why}"
            _set(status, "AbleToScale", "False", "FailedGetScale", message)
        else:
            message = "the HPA controller was able to get the target's current scale"
            _set(status, "AbleToScale", "True", "SucceededGetScale", message)
            status["currentReplicas"] = (scale.get("spec") or {}).get("replicas", 0)
            # as recorded: one empty entry for the metric that could not be read
            status["currentMetrics"] = [{"type": ""}]
            reason, sentence = _unseen(found)
            _set(status, "ScalingActive", "False", reason, sentence)
        if status != (found.get("status") or {}):
            written = await self.client.update_status(*AUTOSCALERS, {**found, "status": status})
            self.cluster.autoscalers.put(written)
        return PERIOD_S

    async def _scale(self, autoscaler: Object) -> tuple[Object | None, str]:
        """The target's Scale, or the sentence why there is none."""
        target = autoscaler["spec"]["scaleTargetRef"]
        group, _, version = target.get("apiVersion", "").rpartition("/")
        plural = SCALABLE.get((group, target["kind"]))
        if plural is None:
            return None, f'no matches for kind "{target["kind"]}" in group "{group}"'
        namespace = autoscaler["metadata"]["namespace"]
        try:
            scale = await self.client.get(
                group, version, plural, target["name"], namespace=namespace, subresource="scale"
            )
        except KubeError as error:
            if error.status != 404:
                raise
            return None, error.message
        return scale, ""


def _unseen(autoscaler: Object) -> tuple[str, str]:
    """Reason and sentence of the first metric, none of which can be read here."""
    metric = autoscaler["spec"]["metrics"][0]
    reason, word = _FAILED[metric["type"]]
    namespace = autoscaler["metadata"]["namespace"]
    if metric["type"] != "External":
        why = f"unable to get {word} metric: unable to fetch metrics: the server could not find the requested resource"
        return reason, f"the HPA was unable to compute the replica count: {why}"
    name = metric["external"]["metric"]["name"]
    selector = metric["external"]["metric"].get("selector")
    labels = f"MatchLabels:map[string]string{{{_go_map(selector)}}}"
    shown = f"&LabelSelector{{{labels},MatchExpressions:[]LabelSelectorRequirement{{}},}}"
    where = f"{namespace}/{name}/{shown if selector else 'nil'}"
    fetch = "unable to fetch metrics from external metrics API: the server could not find the requested resource"
    return reason, (
        f"the HPA was unable to compute the replica count: unable to get external metric {where}: {fetch} "
        f"(get {name}.external.metrics.k8s.io)"
    )


def _go_map(selector: Object | None) -> str:
    return "".join(f"{key}: {value}," for key, value in sorted(((selector or {}).get("matchLabels") or {}).items()))


def _set(status: Object, type_: str, value: str, reason: str, message: str) -> None:
    found = find_condition(status["conditions"], type_)
    if found is None:
        found = {"type": type_}
        status["conditions"].append(found)
    if found.get("status") != value:
        found["lastTransitionTime"] = rfc3339(now())
    found |= {"status": value, "reason": reason, "message": message}
