"""The subresources with a shape of their own: scale, binding and eviction."""

from __future__ import annotations

import copy
from typing import Any

import orjson

from apps.embedded.apiserver import types
from apps.embedded.apiserver.call import Answer, Call, check_write_options
from apps.embedded.apiserver.domain import jsonbody
from apps.embedded.apiserver.domain.deletion import parse_delete_options
from apps.embedded.apiserver.domain.patches import PatchError, patched
from apps.embedded.apiserver.domain.selectors import from_label_selector_object
from apps.embedded.apiserver.domain.ssa import managers as ssa
from apps.embedded.apiserver.domain.ssa.paths import Path
from apps.embedded.apiserver.domain.status import (
    MODIFIED,
    ApiError,
    Cause,
    bad_request,
    conflict,
    invalid,
    method_not_allowed,
    success,
)
from apps.embedded.apiserver.registry import Resource
from apps.embedded.apiserver.resources import APPLY, Resources

Object = dict[str, Any]
SCALE = Resource("autoscaling", "v1", "Scale", "scales", "scale", storage="")
TOPOLOGY_LABELS = ("topology.kubernetes.io/zone", "topology.kubernetes.io/region")
BINDING = Resource("", "v1", "Binding", "bindings", "binding", storage="")
EVICTION = Resource("policy", "v1", "Eviction", "evictions", "eviction", storage="")


class Subresources:
    """Answers for the subresources that do not show the resource's own kind."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    def answer(self, call: Call, verb: str) -> Answer:
        handlers = {
            ("scale", "get"): self._get_scale,
            ("scale", "update"): self._update_scale,
            ("scale", "patch"): self._patch_scale,
            ("binding", "create"): self._bind,
            ("eviction", "create"): self._evict,
        }
        handler = handlers.get((call.path.subresource, verb))
        if handler is None:
            raise method_not_allowed()
        return handler(call)

    def _get_scale(self, call: Call) -> Answer:
        return Answer(to_scale(call.resource, self._resources.existing(call)))

    def _update_scale(self, call: Call) -> Answer:
        check_write_options(call, "UpdateOptions")
        return self._set_scale(call, types.read_object(call, call.body, resource=SCALE))

    def _patch_scale(self, call: Call) -> Answer:
        applying = call.content_type == APPLY
        check_write_options(call, "PatchOptions", applying=applying)
        live = self._resources.existing(call)
        if applying:
            try:
                value = jsonbody.parse_yaml(call.body)
            except jsonbody.BodyError as error:
                raise bad_request(f"error decoding YAML: {error}") from None
        else:
            try:
                operations = orjson.loads(call.body)
                value = patched(to_scale(call.resource, live), operations, call.content_type, types.schema_of(SCALE))
            except orjson.JSONDecodeError as error:
                raise bad_request(f"error decoding patch: {jsonbody.complaint(call.body, error)}") from None
            except PatchError as error:
                raise ApiError(error.code, error.reason, str(error), error.details) from None
        try:
            scale, _ = types.decode(value, SCALE)
        except ApiError as error:
            why = error.message.partition("cannot be handled as a Scale: ")[2] or error.message
            cause = Cause("FieldValueInvalid", f'Invalid value: "{call.body.decode()}": {why}', "patch")
            raise invalid("", "", "", [cause]) from None
        return self._set_scale(call, scale, applying=applying)

    def _set_scale(self, call: Call, scale: Object, *, applying: bool = False) -> Answer:
        live = self._resources.existing(call)
        name = call.path.name
        version = scale["metadata"].get("resourceVersion")
        if version not in (None, "", "0") and version != live["metadata"]["resourceVersion"]:
            raise conflict(call.resource.group, call.resource.plural, name, MODIFIED)
        replicas = scale.get("spec", {}).get("replicas", 0)
        if replicas < 0 and call.resource.custom is None:
            why = f"Invalid value: {replicas}: must be greater than or equal to 0"
            raise invalid("autoscaling", "Scale", name, [Cause("FieldValueInvalid", why, "spec.replicas")])
        new = with_replicas(call, live, replicas, applying=applying)
        answer = self._resources.replace(call, live, new, tracked=True)
        return Answer(to_scale(call.resource, answer.body), answer.status)

    def _bind(self, call: Call) -> Answer:
        """Assign a pod to a node, once: spec.nodeName and the condition PodScheduled."""
        binding = types.read_object(call, call.body, resource=BINDING)
        live = self._resources.existing(call)
        node = binding.get("target", {}).get("name", "")
        subject = "pods/binding"
        if live["metadata"].get("deletionTimestamp"):
            why = f"pod {call.path.name} is being deleted, cannot be assigned to a host"
            raise conflict("", subject, call.path.name, why)
        if live["spec"].get("nodeName"):
            why = f'pod {call.path.name} is already assigned to node "{live["spec"]["nodeName"]}"'
            raise conflict("", subject, call.path.name, why)
        if live["spec"].get("schedulingGates"):
            why = f"pod {call.path.name} has non-empty .spec.schedulingGates"
            raise conflict("", subject, call.path.name, why)
        new = copy.deepcopy(live)
        new["spec"]["nodeName"] = node
        self._copy_topology(new, node)
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None, "lastTransitionTime": call.now}
        if "observedGeneration" in live["metadata"]:
            scheduled["observedGeneration"] = live["metadata"]["generation"]
        conditions = [c for c in new["status"].get("conditions", ()) if c["type"] != "PodScheduled"]
        new["status"]["conditions"] = [*conditions, scheduled]
        if not call.dry_run:
            self._resources.store.put("/pods", call.path.namespace, call.path.name, new)
        return Answer({**success(), "code": 201}, 201)

    def _copy_topology(self, pod: Object, node: str) -> None:
        """A pod gets the labels of its node that say where it runs."""
        found = self._resources.store.get("/nodes", "", node)
        for label in TOPOLOGY_LABELS:
            value = ((found or {}).get("metadata", {}).get("labels") or {}).get(label)
            if value is not None:
                pod["metadata"].setdefault("labels", {})[label] = value

    def _evict(self, call: Call) -> Answer:
        """Delete a pod unless a PodDisruptionBudget forbids it (429)."""
        eviction = types.read_object(call, call.body, resource=EVICTION)
        live = self._resources.existing(call)
        for budget in self._resources.store.objects("policy/poddisruptionbudgets", call.path.namespace):
            selector = from_label_selector_object(budget["spec"].get("selector"))
            if selector is None or not selector.matches(live["metadata"].get("labels")):
                continue
            self._spend(call, budget)
        options = parse_delete_options(orjson.dumps(eviction.get("deleteOptions") or {}), {})
        self._resources.remove(call, live, options)
        return Answer({**success(), "code": 201}, 201)

    def _spend(self, call: Call, budget: Object) -> None:
        name = budget["metadata"]["name"]
        status = budget.get("status", {})
        if status.get("disruptionsAllowed", 0) <= 0:
            needs = f"The disruption budget {name} needs {status.get('desiredHealthy', 0)} healthy pods and has"
            cause = Cause("DisruptionBudget", f"{needs} {status.get('currentHealthy', 0)} currently")
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            raise ApiError(429, "TooManyRequests", message, {"causes": [cause.to_json()]})
        if call.dry_run:
            return
        new = copy.deepcopy(budget)
        new["status"]["disruptionsAllowed"] -= 1
        new["status"].setdefault("disruptedPods", {})[call.path.name] = call.now
        self._resources.store.put("policy/poddisruptionbudgets", call.path.namespace, name, new)


def scale_paths(resource: Resource) -> tuple[str, str, str]:
    """Dotted paths of spec replicas, status replicas and selector in the parent."""
    if resource.custom is not None:
        scale = resource.custom.scale
        return scale["specReplicasPath"], scale["statusReplicasPath"], scale.get("labelSelectorPath", "")
    return ".spec.replicas", ".status.replicas", ""


def to_scale(resource: Resource, obj: Object) -> Object:
    """The Scale that stands for an object."""
    spec_path, status_path, selector_path = scale_paths(resource)
    metadata = {
        key: obj["metadata"][key]
        for key in ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
        if key in obj["metadata"]
    }
    spec: Object = {}
    replicas = _at(obj, spec_path)
    if replicas:
        spec["replicas"] = replicas
    status: Object = {"replicas": _at(obj, status_path) or 0}
    if resource.custom is None:
        selector = selector_text(obj.get("spec", {}).get("selector"))
    else:
        selector = _at(obj, selector_path) if selector_path else ""
    if selector:
        status["selector"] = selector
    return {"kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec, "status": status}


def with_replicas(call: Call, live: Object, replicas: int, *, applying: bool) -> Object:
    """The parent with other replicas, and who owns them now. ApiError 409 when an apply conflicts."""
    spec_path, _, _ = scale_paths(call.resource)
    names = spec_path.strip(".").split(".")
    path: Path = tuple(f"f:{name}" for name in names)
    new = copy.deepcopy(live)
    node = new
    for name in names[:-1]:
        node = node.setdefault(name, {})
    changed = node.get(names[-1]) != replicas
    node[names[-1]] = replicas
    try:
        managers = ssa.decode(live["metadata"].get("managedFields"))
    except ValueError:
        managers = {}
    who = ssa.Identity(call.field_manager, "Apply" if applying else "Update", call.resource.api_version, "scale")
    owners = [owned for owned in managers.values() if path in owned.fields and owned.identity.key != who.key]
    if applying and changed and owners and not call.force:
        raise ssa.conflict_error([(owned.identity, frozenset({path})) for owned in owners])
    if applying or (changed and (owners or who.key in managers)):
        if changed:
            for owned in owners:
                left = owned.fields - {path}
                if left:
                    managers[owned.identity.key] = ssa.Owned(owned.identity, left, owned.time)
                else:
                    del managers[owned.identity.key]
        if who.key not in managers:
            managers[who.key] = ssa.Owned(who, frozenset({path}))
        new["metadata"]["managedFields"] = ssa.encode(managers)
    return new


def selector_text(selector: Object | None) -> str:
    """A LabelSelector in the string form of URLs."""
    if not selector:
        return ""
    terms = [f"{key}={value}" for key, value in selector.get("matchLabels", {}).items()]
    for term in selector.get("matchExpressions", ()):
        values = ",".join(sorted(term.get("values", ())))
        terms.append(
            {
                "In": f"{term['key']} in ({values})",
                "NotIn": f"{term['key']} notin ({values})",
                "Exists": term["key"],
                "DoesNotExist": f"!{term['key']}",
            }[term["operator"]]
        )
    return ",".join(sorted(terms))


def _at(obj: Object, path: str) -> Any:
    value: Any = obj
    for name in path.strip(".").split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
