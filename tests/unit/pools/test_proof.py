"""Every rendered manifest against real schemas, every command line against vLLM's flags, every picker configuration
against the picker's own parameters; and the proof itself, which must see what is wrong."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.pools.domain.paths import render
from apps.pools.domain.tiers.plan import Tier, TierPlan
from apps.pools.domain.validation import Shape, faults_of
from tests.support.proof import command_faults, faults, picker_faults
from tests.unit.pools.rendering import EVERYTHING, MODEL, POOL, by_name, inputs_of, spec_of
from tests.unit.pools.test_pool_rendering import CASES, CURRENT

ENGINES = {"0.5": ("0.14.1",), "current": ("0.32.0", "0.33.0")}


@pytest.mark.parametrize("case", CASES)
def test_a_real_cluster_takes_what_is_rendered(case: str) -> None:
    spec, inputs, release = CASES[case]()
    objects = render(POOL, spec, MODEL, inputs, release)
    assert [fault for manifest in objects for fault in faults(manifest)] == []
    assert picker_faults(objects, release.name) == []
    for version in ENGINES[release.name]:
        assert [fault for manifest in objects for fault in command_faults(manifest, version)] == []


def test_an_older_engine_is_told_only_what_it_knows() -> None:
    spec = spec_of(engine={"image": "vllm/vllm-openai:v0.25.1"})
    tiers = TierPlan((Tier("host", 2**33), Tier("filesystem", 2**40, claim="kv-cache")), events=True)
    objects = render(POOL, spec, MODEL, dataclasses.replace(inputs_of(spec, EVERYTHING), tiers=tiers), CURRENT)
    assert [fault for manifest in objects for fault in command_faults(manifest, "0.25.1")] == []
    newer = spec_of(engine={"image": "vllm/vllm-openai:v0.33.0"})
    objects = render(POOL, newer, MODEL, dataclasses.replace(inputs_of(newer, EVERYTHING), tiers=tiers), CURRENT)
    told = [fault for manifest in objects for fault in command_faults(manifest, "0.25.1")]
    assert any("--custom-histogram-buckets" in fault for fault in told)


def test_the_pools_own_arguments_are_read_as_the_releases_engine_reads_them() -> None:
    spec = spec_of(engine={"args": ["--watchdog-config={}"]})
    assert faults_of("chat", spec, Shape(), None, dialect=CURRENT) == []
    (fault,) = faults_of("chat", spec, Shape(), None, dialect=dialect("0.5"))
    assert "unrecognized arguments: --watchdog-config" in fault.detail


def rendered() -> dict[str, Any]:
    spec = spec_of(routing={"gateway": {"name": "public"}})
    return by_name(copy.deepcopy(render(POOL, spec, MODEL, inputs_of(spec, EVERYTHING), CURRENT)))


@pytest.mark.parametrize(
    ("name", "place", "value", "words"),
    [
        ("Deployment/chat-h200", ("spec", "template", "spec", "containers", 0, "imag"), "x", "imag"),
        ("Deployment/chat-h200", ("spec", "replicas"), "2", "integer"),
        ("InferencePool/chat", ("spec", "targetPorts", 0, "number"), 70000, "70000"),
        ("InferencePool/chat", ("spec", "endpointPickerRef", "port"), None, "port is required"),
        ("HTTPRoute/chat", ("spec", "rules", 0, "matches", 0, "path", "value"), "chat", "absolute path"),
        ("PodMonitor/chat", ("spec", "podMetricEndpoints"), [], "podMetricEndpoints"),
    ],
)
def test_the_proof_sees_what_a_cluster_would_refuse(name: str, place: tuple[Any, ...], value: Any, words: str) -> None:
    manifest = rendered()[name]
    target = manifest
    for part in place[:-1]:
        target = target[part]
    if value is None:
        del target[place[-1]]
    else:
        target[place[-1]] = value
    assert any(words in fault for fault in faults(manifest)), faults(manifest)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("--max-model-length=1", "unrecognized arguments"),
        ('--kv-transfer-config={"kv_connector":"OffloadingConector","kv_role":"kv_both"}', "no connector"),
        ('--kv-transfer-config={"kv_connector":"NixlConnector"}', "kv_role must be one of"),
        ('--kv-transfer-config={"kv_connector":"P2pNcclConnector","kv_role":"kv_both"}', "use NixlConnector"),
        (
            '--kv-transfer-config={"kv_connector":"OffloadingConnector","kv_role":"kv_both",'
            '"kv_connector_extra_config":{"cpu_byte_to_use":1}}',
            "did you mean cpu_bytes_to_use",
        ),
        ('--speculative-config={"method":"ngram","num_speculative_tokens":3}', "prompt_lookup_max"),
        ('--kv-events-config={"publisher":"zmq"}', "no event would be sent"),
    ],
)
def test_the_proof_sees_what_vllm_would_refuse_or_overlook(argument: str, words: str) -> None:
    manifest = rendered()["Deployment/chat-h200"]
    manifest["spec"]["template"]["spec"]["containers"][0]["args"].append(argument)
    assert any(words in fault for fault in command_faults(manifest, "0.33.0")), command_faults(manifest, "0.33.0")
