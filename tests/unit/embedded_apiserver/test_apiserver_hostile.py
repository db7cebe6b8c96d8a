"""Whatever a client sends, it gets an answer or a refusal with a sentence: never an internal error."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.embedded.apiserver.bootstrap import bootstrap
from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.request import ResourcePath
from apps.embedded.apiserver.domain.status import ApiError
from apps.embedded.apiserver.server import ADMIN, ApiServer
from apps.embedded.apiserver.store import Store

POD_SPEC = {
    "containers": [
        {
            "name": "main",
            "image": "i",
            "env": [{"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}],
            "ports": [{"containerPort": 80}],
            "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
            "readinessProbe": {"httpGet": {"port": 80}},
            "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
            "volumeMounts": [{"name": "v", "mountPath": "/v"}],
        }
    ],
    "volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}],
    "tolerations": [{"key": "k"}],
}
META = {"name": "x", "labels": {"a": "b"}, "annotations": {"a": "b"}, "ownerReferences": [{"name": "o"}]}
LABELS = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}]}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD_SPEC}
SEEDS: dict[tuple[str, str, str], dict[str, Any]] = {
    ("apps", "v1", "deployments"): {
        "spec": {"selector": LABELS, "template": TEMPLATE, "strategy": {"rollingUpdate": {"maxSurge": 1}}}
    },
    ("apps", "v1", "statefulsets"): {
        "spec": {"selector": LABELS, "template": TEMPLATE, "volumeClaimTemplates": [{"spec": {}}]}
    },
    ("batch", "v1", "jobs"): {"spec": {"template": TEMPLATE}},
    ("", "v1", "pods"): {"spec": POD_SPEC, "status": {"conditions": [{"type": "Ready"}]}},
    ("", "v1", "services"): {"spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, "type": "NodePort"}},
    ("", "v1", "configmaps"): {"data": {"a": "b"}, "binaryData": {"c": "eA=="}},
    ("", "v1", "secrets"): {"data": {"a": "eA=="}, "stringData": {"b": "c"}, "type": "kubernetes.io/dockerconfigjson"},
    ("", "v1", "events"): {"involvedObject": {"kind": "Pod", "name": "p"}, "source": {}, "series": {"count": 1}},
    ("events.k8s.io", "v1", "events"): {"regarding": {"name": "p"}, "eventTime": "2026-01-01T00:00:00.000000Z"},
    ("", "v1", "limitranges"): {"spec": {"limits": [{"type": "Container", "max": {"cpu": "1"}}]}},
    ("coordination.k8s.io", "v1", "leases"): {"spec": {"leaseDurationSeconds": 1}},
    ("discovery.k8s.io", "v1", "endpointslices"): {"ports": [{"port": 1}], "endpoints": [{"addresses": ["1.1.1.1"]}]},
    ("policy", "v1", "poddisruptionbudgets"): {"spec": {"selector": LABELS, "minAvailable": "50%"}},
    ("networking.k8s.io", "v1", "networkpolicies"): {"spec": {"ingress": [{"ports": [{"port": 1}]}]}},
    ("inference.networking.k8s.io", "v1", "inferencepools"): {
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": 1}]}
    },
    ("apiextensions.k8s.io", "v1", "customresourcedefinitions"): {
        "spec": {
            "group": "g.io",
            "names": {"plural": "xs", "kind": "X"},
            "scope": "Cluster",
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
            ],
        }
    },
}
JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 70000), st.sampled_from(["", "x", "-1", "1Gi", "Nope", "a b"]),
    st.just([]), st.just({}), st.just([None]), st.just([{}]), st.just({"x": None}), st.just([[]]), st.just(1.5),
)  # fmt: skip


def places(value: Any, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in pairs:
        found += places(child, (*path, key))
    return found


@st.composite
def bodies(draw: st.DrawFn, resource: tuple[str, str, str]) -> Any:
    group, version, _ = resource
    body: Any = {"metadata": copy.deepcopy(META), **copy.deepcopy(SEEDS[resource])}
    kind = SERVER.registry.find(*resource)
    assert kind is not None
    body |= {"apiVersion": f"{group}/{version}" if group else version, "kind": kind.kind}
    for _ in range(draw(st.integers(0, 3))):
        found = places(body)
        if not found:
            break
        *parents, last = draw(st.sampled_from(found))
        node = body
        for key in parents:
            node = node[key]
        node[last] = copy.deepcopy(draw(JUNK))
    return body


SERVER = ApiServer(Store(None), {})
bootstrap(SERVER, install_crds=True)


def send(resource: tuple[str, str, str], method: str, body: Any, content_type: str, name: str = "") -> None:
    """An answer or an ApiError that is no internal error; anything else fails the test."""
    found = SERVER.registry.find(*resource)
    assert found is not None
    namespace = "default" if found.namespaced else ""
    subresource, _, name = name.rpartition(":") if ":" in name else ("", "", name)
    call = Call(
        method=method,
        path=ResourcePath(*resource, namespace, name, subresource),
        resource=found,
        query={"fieldManager": "m", "dryRun": "All"},
        dry_runs=("All",),
        content_type=content_type,
        body=orjson.dumps(body),
        user=ADMIN,
        user_agent="hostile/1",
        now="2026-01-01T00:00:00Z",
    )
    verb = {"POST": SERVER.resources.create, "PATCH": SERVER.resources.patch, "PUT": SERVER.resources.update}[method]
    try:
        answer = (SERVER.subresources.answer(call, "patch") if subresource == "scale" else verb(call)).body
    except ApiError as refusal:
        assert refusal.message
        return
    assert orjson.dumps(answer)


def seed(resource: tuple[str, str, str]) -> None:
    """One good object, to patch."""
    found = SERVER.registry.find(*resource)
    assert found is not None
    metadata = {"name": "live", "namespace": "default"} if found.namespaced else {"name": "live"}
    SERVER.store.put(
        found.storage,
        metadata.get("namespace", ""),
        "live",
        {
            "apiVersion": found.api_version,
            "kind": found.kind,
            "metadata": {**metadata, "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
            **copy.deepcopy(SEEDS[resource]),
        },
    )


@pytest.mark.parametrize("resource", SEEDS, ids=lambda resource: f"{resource[2]}.{resource[0]}")
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_created_or_applied_object_is_answered_or_refused(
    resource: tuple[str, str, str], data: st.DataObject
) -> None:
    body = data.draw(bodies(resource))
    send(resource, "POST", body, "application/json")
    send(resource, "PATCH", body, "application/apply-patch+yaml", "x")


PATCHED = [("apps", "v1", "deployments"), ("", "v1", "pods"), ("", "v1", "services"), ("", "v1", "configmaps")]


@pytest.mark.parametrize("resource", PATCHED, ids=lambda resource: resource[2])
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_a_patch_is_answered_or_refused(resource: tuple[str, str, str], data: st.DataObject) -> None:
    seed(resource)
    body = data.draw(bodies(resource))
    for content_type in ("merge-patch+json", "strategic-merge-patch+json"):
        if isinstance(body, dict) and isinstance(body.get("metadata"), dict):
            body["metadata"].pop("name", None)
        send(resource, "PATCH", body, f"application/{content_type}", "live")
        send(resource, "PATCH", body, f"application/{content_type}", "status:live")
    path = data.draw(st.sampled_from(["/spec", "/metadata/labels", "/spec/replicas", "/x/y", "", "/metadata"]))
    operation = {"op": data.draw(st.sampled_from(["add", "remove", "replace", "test", "move"])), "path": path}
    operation |= {"value": copy.deepcopy(data.draw(JUNK)), "from": data.draw(st.sampled_from(["/spec", "/none"]))}
    send(resource, "PATCH", [operation], "application/json-patch+json", "live")


@settings(max_examples=60, deadline=None)
@given(JUNK, JUNK, st.sampled_from(["merge-patch+json", "apply-patch+yaml", "json-patch+json"]))
def test_a_scale_is_answered_or_refused(spec: Any, metadata: Any, content_type: str) -> None:
    resource = ("apps", "v1", "deployments")
    seed(resource)
    for body in ({"spec": spec, "metadata": metadata}, spec, {"spec": {"replicas": spec}}):
        send(resource, "PATCH", body, f"application/{content_type}", "scale:live")
