"""Every rendered manifest against real schemas, every command line against vLLM's flags, every picker configuration
against the picker's own parameters; and the proof itself, which must see what is wrong."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from apps.pools.domain.paths import render
from tests.support.proof import command_faults, faults, picker_faults
from tests.unit.pools.rendering import EVERYTHING, MODEL, POOL, by_name, inputs_of, spec_of
from tests.unit.pools.test_pool_rendering import CASES, CURRENT

# dialect 0.5 runs vLLM 0.14, whose flags are in no table of ours: its command lines are read, not proved
ENGINE_OF_CURRENT = ("0.32.0", "0.33.0")


@pytest.mark.parametrize("case", CASES)
def test_a_real_cluster_takes_what_is_rendered(case: str) -> None:
    spec, inputs, release = CASES[case]()
    objects = render(POOL, spec, MODEL, inputs, release)
    assert [fault for manifest in objects for fault in faults(manifest)] == []
    assert picker_faults(objects, release.name) == []
    if release.name == "current":
        for version in ENGINE_OF_CURRENT:
            assert [fault for manifest in objects for fault in command_faults(manifest, version)] == []


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
