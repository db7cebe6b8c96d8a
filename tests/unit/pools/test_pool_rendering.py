"""Rendering of a pool: golden manifests, and what must hold whatever a pool says."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.catalog.domain.vllm import ParsedArgs, parse_args
from apps.physics.routing import read_config
from apps.pools.domain.manifests import GENERATION, POOL_UID, SPEC_HASH, Manifest, ModelFacts, PlanRefused
from apps.pools.domain.paths import render
from tests.unit.pools.rendering import CORE, EVERYTHING, MODEL, POOL, by_name, inputs_of, spec_of, variant

GOLDEN = Path(__file__).parent / "golden"
CURRENT = dialect("current")

CASES: dict[str, Any] = {
    "quickstart": lambda: (spec_of(), inputs_of(spec_of()), CURRENT),
    "no-extensions": lambda: (spec_of(), inputs_of(spec_of(), CORE), CURRENT),
    "everything": lambda: (
        every := spec_of(
            variants=[variant(), variant(name="wide", parallelism={"tensor": 4, "data": 2}, capacityType="spot")],
            routing={
                "weights": {"queue": 1, "kvCacheUtilization": 0.5, "prefixCache": 4},
                "gateway": {"name": "public", "namespace": "gateways", "hostnames": ["chat.example.com"]},
            },
            rollout={"maxSurge": 2, "maxUnavailable": 1, "drainDelay": "20s", "shutdownTimeout": "2m"},
        ),
        inputs_of(every, EVERYTHING, wide=3),
        CURRENT,
    ),
    "dialect-0.5": lambda: (
        old := spec_of(engine={"image": "ghcr.io/llm-d/llm-d-cuda:v0.5.0"}),
        inputs_of(old),
        dialect("0.5"),
    ),
}


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@pytest.mark.parametrize("case", CASES)
def test_golden(case: str) -> None:
    spec, inputs, release = CASES[case]()
    text = yaml.dump_all(render(POOL, spec, MODEL, inputs, release), Dumper=_Plain, sort_keys=False, width=120)
    path = GOLDEN / f"{case}.yaml"
    if os.environ.get("LAMPLIGHT_UPDATE_GOLDEN"):
        path.write_text(text)
    assert path.read_text() == text, f"{path.name} differs; look at the change, then run with LAMPLIGHT_UPDATE_GOLDEN=1"


def rendered(spec: Any = None, **more: Any) -> dict[str, Manifest]:
    spec = spec or spec_of()
    return by_name(render(more.get("pool", POOL), spec, more.get("model", MODEL), inputs_of(spec), CURRENT))


def template(objects: dict[str, Manifest], name: str = "Deployment/chat-h200") -> Any:
    return objects[name]["spec"]["template"]


def test_every_object_says_whose_it_is_and_what_it_was_rendered_from() -> None:
    spec = CASES["everything"]()[0]
    for manifest in render(POOL, spec, MODEL, inputs_of(spec, EVERYTHING), CURRENT):
        labels = manifest["metadata"]["labels"]
        assert labels[POOL_UID] == POOL.uid
        assert labels[GENERATION] == "3"
        assert len(labels[SPEC_HASH]) == 16
        assert manifest["metadata"]["namespace"] == "serving"
        assert len(manifest["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in labels.values())


def test_scaling_and_a_new_generation_change_neither_pod_template_nor_hash() -> None:
    spec = spec_of()
    before = by_name(render(POOL, spec, MODEL, inputs_of(spec, h200=2), CURRENT))
    after = by_name(render(dataclasses.replace(POOL, generation=9), spec, MODEL, inputs_of(spec, h200=4), CURRENT))
    assert before["Deployment/chat-h200"]["spec"]["replicas"] == 2
    assert after["Deployment/chat-h200"]["spec"]["replicas"] == 4
    for key, manifest in before.items():
        assert manifest["metadata"]["labels"][SPEC_HASH] == after[key]["metadata"]["labels"][SPEC_HASH]
    assert template(before) == template(after)


@pytest.mark.parametrize(
    "changes",
    [
        {"engine": {"image": "vllm/vllm-openai:v0.32.0"}},
        {"engine": {"args": ["--max-model-len=8192"]}},
        {"engine": {"env": {"VLLM_LOGGING": "0"}}},
        {"variants": [variant(parallelism={"tensor": 2})]},
        {"variants": [variant(resources={"cpu": "4"})]},
        {"rollout": {"shutdownTimeout": "90s"}},
    ],
)
def test_a_change_of_the_engine_rolls_its_pods_and_leaves_the_picker_alone(changes: dict[str, Any]) -> None:
    before, after = rendered(), rendered(spec_of(**changes))
    assert template(before) != template(after)
    assert template(before, "Deployment/chat-epp") == template(after, "Deployment/chat-epp")


def test_another_model_rolls_the_engines() -> None:
    other = dataclasses.replace(MODEL, source="hf://Qwen/Qwen3-32B", served_name="qwen3-32b")
    assert template(rendered()) != template(rendered(model=other))


def test_a_change_of_weights_restarts_the_picker_and_no_engine() -> None:
    before, after = rendered(), rendered(spec_of(routing={"weights": {"queue": 9}}))
    assert template(before) == template(after)
    assert template(before, "Deployment/chat-epp") != template(after, "Deployment/chat-epp")


def test_vllm_reads_the_command_line_as_meant() -> None:
    spec = spec_of(variants=[variant(parallelism={"tensor": 4, "pipeline": 2})])
    container = template(rendered(spec))["spec"]["containers"][0]
    assert container["command"] == ["vllm", "serve"]
    parsed = parse_args("0.33.0", container["args"])
    assert isinstance(parsed, ParsedArgs), parsed
    assert parsed.model == "meta-llama/Llama-3.1-8B-Instruct"
    assert parsed["port"] == 8000
    assert parsed["served_model_name"] == ["llama-3.1-8b"]
    assert (parsed["tensor_parallel_size"], parsed["pipeline_parallel_size"]) == (4, 2)
    assert parsed["max_model_len"] == 16384
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "8"
    buckets = parsed["custom_histogram_buckets"]
    buckets = json.loads(buckets) if isinstance(buckets, str) else buckets
    assert set(buckets) == {"time_to_first_token", "inter_token_latency", "request_latency"}
    for edges in buckets.values():
        assert edges == sorted(set(edges))
        assert {0.04, 0.5, 2.0} <= set(edges), "usual SLO thresholds are on the grid"


@given(delay=st.integers(0, 3600), timeout=st.integers(0, 3600))
def test_the_grace_period_covers_drain_and_teardown(delay: int, timeout: int) -> None:
    spec = spec_of(rollout={"drainDelay": f"{delay}s", "shutdownTimeout": f"{timeout}s"})
    pod = template(rendered(spec))["spec"]
    assert pod["terminationGracePeriodSeconds"] > delay + timeout + 8
    assert pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", str(delay)]
    assert f"--shutdown-timeout={timeout}" in pod["containers"][0]["args"]


@pytest.mark.parametrize(
    ("source", "revision", "argument", "volume"),
    [
        ("hf://org/m", "main", "org/m", None),
        ("hf://org/m", "v2", "org/m", None),
        ("pvc://weights/llama/8b", None, "/models/llama/8b", "persistentVolumeClaim"),
        ("oci://registry.example/m:1", None, "/models", "image"),
        ("s3://bucket/m", None, "s3://bucket/m", None),
    ],
)
def test_where_the_weights_are(source: str, revision: str | None, argument: str, volume: str | None) -> None:
    model = ModelFacts(name="m", source=source, served_name="m", revision=revision)
    pod = template(rendered(model=model))["spec"]
    container = pod["containers"][0]
    parsed = parse_args("0.33.0", container["args"])
    assert isinstance(parsed, ParsedArgs), parsed
    assert parsed.model == argument
    assert parsed["revision"] == ("v2" if revision == "v2" else None)
    weights = [v for v in pod["volumes"] if v["name"] == "weights"]
    assert ([k for v in weights for k in v if k != "name"] or [None]) == [volume]


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        ({"variants": [variant(role="prefill")]}, "RoleNotInPath", "set role to both"),
        ({"variants": [variant(groupSize=2, parallelism={"tensor": 2})]}, "GroupNotInPath", "set groupSize to 1"),
        ({"variants": [variant(accelerator="abacus")]}, "UnknownAccelerator", "abacus"),
        ({"routing": {"gateway": {"name": "g"}}}, "GatewayNotAvailable", "install the Gateway API"),
    ],
)
def test_a_broken_invariant_refuses_the_plan_with_a_sentence(changes: Any, reason: str, words: str) -> None:
    with pytest.raises(PlanRefused, match=words) as refused:
        rendered(spec_of(**changes))
    assert refused.value.reason == reason


def test_engine_and_picker_agree_on_endpoints_and_names() -> None:
    objects = rendered()
    pool = objects["InferencePool/chat"]["spec"]
    labels = template(objects)["metadata"]["labels"]
    assert pool["selector"]["matchLabels"].items() <= labels.items()
    picker_labels = template(objects, "Deployment/chat-epp")["metadata"]["labels"]
    assert not pool["selector"]["matchLabels"].items() <= picker_labels.items(), "the picker is no endpoint"
    assert pool["endpointPickerRef"]["name"] in {k.partition("/")[2] for k in objects if k.startswith("Service/")}
    for name, manifest in objects.items():
        if name.startswith("Deployment/"):
            selector = manifest["spec"]["selector"]["matchLabels"]
            assert selector.items() <= manifest["spec"]["template"]["metadata"]["labels"].items()
    assert objects["Service/chat"]["spec"]["selector"].items() <= picker_labels.items()


@pytest.mark.parametrize(("least", "release", "held"), [(0, "current", True), (1, "current", False), (0, "0.5", False)])
def test_requests_are_held_where_a_pool_may_have_no_replica(least: int, release: str, held: bool) -> None:
    spec = spec_of(variants=[variant(replicas={"min": least, "max": 4})])
    objects = by_name(render(POOL, spec, MODEL, inputs_of(spec), dialect(release)))
    flow = read_config(yaml.safe_load(objects["ConfigMap/chat-epp"]["data"]["config.yaml"])).flow
    assert (flow is not None) is held
    if flow is not None:
        assert (flow.max_requests, flow.no_endpoint_ttl) == (1000, 900.0)
