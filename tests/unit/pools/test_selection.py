"""Which pods an InferencePool would catch, and what is wrong about those that should not be there."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.pools.domain.groups import pod_template
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.paths import PATHS, render
from apps.pools.domain.selection import caught, insist_selection, others_that_catch, sentence
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import inputs_for, model_of, path_document
from tests.unit.pools.rendering import POOL, by_name

OWNER = {"kind": "ReplicaSet", "name": "x", "uid": "1", "apiVersion": "apps/v1"}


def rendered(path: str = "optimized-baseline") -> dict[str, Any]:
    spec = PoolSpec.from_document(path_document(path))
    return by_name(render(POOL, spec, model_of(spec), inputs_for(spec), dialect("current")))


def pod_of(workload: Any, name: str = "pod", **labels: str) -> dict[str, Any]:
    template = workload["spec"]["template"] if workload["kind"] == "Job" else pod_template(workload)
    return {
        "metadata": {"name": name, "labels": {**template["metadata"]["labels"], **labels}, "ownerReferences": [OWNER]},
        "spec": template["spec"],
    }


@pytest.mark.parametrize("path", PATHS)
def test_a_pool_catches_its_engines_and_nothing_else_of_its_own(path: str) -> None:
    objects = rendered(path)
    workloads = {n: o for n, o in objects.items() if o["kind"] in ("Deployment", "LeaderWorkerSet", "Job")}
    found = caught(objects["InferencePool/chat"], [pod_of(o, n) for n, o in workloads.items()])
    assert [row.fault for row in found if row.fault] == []
    engines = {n for n, o in workloads.items() if "lamplight.dev/variant" in o["metadata"]["labels"]}
    assert {row.name for row in found} == engines
    assert sentence(found) == ""


def test_what_should_not_be_caught_is_named_with_what_to_do() -> None:
    objects = rendered()
    engine = objects["Deployment/chat-h200"]
    debug = pod_of(engine, "debug")
    debug["metadata"] = {**debug["metadata"], "ownerReferences": []}
    closed = {
        **pod_of(engine, "closed"),
        "spec": {"containers": [{"name": "vllm", "ports": [{"containerPort": 9999}]}]},
    }
    server = pod_of(engine, "render", **{"app.kubernetes.io/component": "tokenizer"})
    stranger = pod_of(engine, "stranger", **{"llm-d.ai/inference-serving": "false"})
    ended = {**debug, "metadata": {**debug["metadata"], "name": "ended"}, "status": {"phase": "Succeeded"}}
    pods = [debug, closed, server, stranger, ended, pod_of(engine, "right")]
    found = caught(objects["InferencePool/chat"], pods)
    said = {row.name: row.fault for row in found}
    assert "a copy for debugging" in said["debug"]
    assert "port 8000" in said["closed"]
    assert "take the label llm-d.ai/inference-serving off" in said["render"]
    assert said["right"] == ""
    assert said.keys().isdisjoint({"stranger", "ended"})
    assert "catches pod debug" in sentence(found)


def test_a_selector_that_is_too_wide_catches_other_pools() -> None:
    objects = rendered()
    wide = {**objects["InferencePool/chat"]}
    wide["spec"] = {**wide["spec"], "selector": {"matchLabels": {"llm-d.ai/inference-serving": "true"}}}
    labels = {"lamplight.dev/pool-uid": "another", "lamplight.dev/pool": "search"}
    other = pod_of(objects["Deployment/chat-h200"], "other", **labels)
    assert "it is of pool search" in caught(wide, [other])[0].fault
    theirs = {**wide, "metadata": {"name": "theirs", "labels": {}}}
    assert others_that_catch([theirs, objects["InferencePool/chat"]], list(objects.values()), POOL.uid) == ("theirs",)
    assert "InferencePool theirs" in sentence((), ("theirs",))


@pytest.mark.parametrize(
    ("name", "labels", "said"),
    [
        ("Deployment/chat-h200", {"llm-d.ai/inference-serving": "false"}, "would not find the pods of Deployment chat"),
        ("Deployment/chat-epp", {"llm-d.ai/inference-serving": "true"}, "chat-epp, which are no engines"),
    ],
)
def test_a_rendering_whose_selector_does_not_fit_is_refused(name: str, labels: dict[str, str], said: str) -> None:
    objects = rendered()
    broken = {**objects[name]}
    template = broken["spec"]["template"]
    changed = {**template["metadata"], "labels": {**template["metadata"]["labels"], **labels}}
    broken["spec"] = {**broken["spec"], "template": {**template, "metadata": changed}}
    with pytest.raises(PlanRefused, match=said) as refused:
        insist_selection([broken if key == name else obj for key, obj in objects.items()])
    assert refused.value.reason == "SelectorMismatch"
