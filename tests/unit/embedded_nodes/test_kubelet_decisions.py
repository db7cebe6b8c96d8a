"""What the kubelet decides: probes, back-off, status, environment, images, nodes."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.kubelet import real_engine
from apps.embedded.kubelet.domain import environment, images, nodes
from apps.embedded.kubelet.domain.backoff import BackoffPolicy, go_duration
from apps.embedded.kubelet.domain.probes import ProbeSpec, ProbeState
from apps.embedded.kubelet.domain.status import (
    ContainerState,
    PodState,
    Terminated,
    container_status,
    phase,
    pod_status,
    restored,
)
from apps.embedded.kubelet.settings import load_data
from tests.unit.embedded_nodes.builders import NOW, pod

SPEC = ProbeSpec(initial_delay=0, period=1, timeout=1, success_threshold=1, failure_threshold=3)


def test_a_probe_needs_its_threshold_in_a_row() -> None:
    state = ProbeState.initial("readiness").answered(True, SPEC)
    assert state.ok
    state = state.answered(False, SPEC).answered(False, SPEC)
    assert state.ok
    assert not state.has_failed(SPEC)
    state = state.answered(True, SPEC).answered(False, SPEC).answered(False, SPEC)
    assert state.ok
    state = state.answered(False, SPEC)
    assert not state.ok
    assert state.has_failed(SPEC)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4), st.integers(1, 4))
def test_a_verdict_changes_only_after_a_full_row(answers: list[bool], success: int, failure: int) -> None:
    spec = ProbeSpec(0, 1, 1, success, failure)
    state = ProbeState.initial("readiness")
    for index, answer in enumerate(answers):
        before = state.ok
        state = state.answered(answer, spec)
        if state.ok != before:
            row = answers[max(0, index + 1 - (success if answer else failure)) : index + 1]
            assert set(row) == {answer}
            assert len(row) == (success if answer else failure)


def test_probe_defaults_are_those_of_kubernetes() -> None:
    assert ProbeSpec.read({}) == ProbeSpec(0, 10, 1, 1, 3)


@given(st.integers(0, 60))
def test_back_off_doubles_up_to_its_cap(crashes: int) -> None:
    policy = BackoffPolicy(base=10, cap=300)
    assert policy.delay(crashes) <= policy.delay(crashes + 1) <= 300
    assert policy.delay(1) == 0
    assert policy.delay(2) == 10
    assert policy.delay(4) == 40


def test_a_long_run_forgives_earlier_crashes() -> None:
    policy = BackoffPolicy(base=1, cap=30)
    assert policy.crashes_after(5, ran_for=61) == 1
    assert policy.crashes_after(5, ran_for=59) == 6
    assert [go_duration(seconds) for seconds in (10, 80, 0.5)] == ["10s", "1m20s", "500ms"]


def _end(code: int) -> Terminated:
    return Terminated(code, "Completed" if code == 0 else "Error", NOW, NOW)


def _running(name: str = "main", *, ready: bool = True) -> ContainerState:
    return ContainerState(name=name, image="busybox", running_since=NOW, started=True, ready=ready)


def _ended(code: int, name: str = "main") -> ContainerState:
    return ContainerState(name=name, image="busybox", terminated=_end(code))


def _waiting(last: Terminated | None = None) -> ContainerState:
    return ContainerState(name="main", image="busybox", waiting_reason="CrashLoopBackOff", last=last)


@pytest.mark.parametrize(
    ("policy", "container", "expected"),
    [
        ("Always", _waiting(), "Pending"),
        ("Always", _running(), "Running"),
        ("Always", _ended(0), "Running"),
        ("Always", _waiting(_end(1)), "Running"),
        ("OnFailure", _ended(0), "Succeeded"),
        ("OnFailure", _ended(1), "Running"),
        ("Never", _ended(0), "Succeeded"),
        ("Never", _ended(1), "Failed"),
    ],
)
def test_phase(policy: str, container: ContainerState, expected: str) -> None:
    found = pod()
    found["spec"]["restartPolicy"] = policy
    assert phase(found, PodState(containers=[container])) == expected


def test_phase_waits_for_init_containers_and_started_sidecars() -> None:
    found = pod()
    found["spec"]["initContainers"] = [{"name": "init"}, {"name": "side", "restartPolicy": "Always"}]
    init, side = _ended(0, "init"), ContainerState(name="side", image="busybox")
    state = PodState(containers=[_waiting()], init_containers=[init, side])
    assert phase(found, state) == "Pending"
    side.started = True
    state.containers = [_running()]
    assert phase(found, state) == "Running"
    found["spec"]["restartPolicy"] = "Never"
    state.init_containers[0] = _ended(1, "init")
    assert phase(found, state) == "Failed"


def _conditions(found: dict, state: PodState) -> dict[str, dict]:
    return {entry["type"]: entry for entry in pod_status(found, state, NOW)["conditions"]}


def test_conditions_say_which_container_is_not_ready() -> None:
    found = pod()
    found["status"]["conditions"] = [{"type": "PodScheduled", "status": "True"}]
    state = PodState(pod_ip="127.0.0.9", containers=[_running("a"), _running("b", ready=False)])
    conditions = _conditions(found, state)
    assert conditions["Ready"]["reason"] == "ContainersNotReady"
    assert conditions["Ready"]["message"] == "containers with unready status: [b]"
    assert conditions["PodScheduled"] == {"type": "PodScheduled", "status": "True"}
    assert conditions["PodReadyToStartContainers"]["status"] == "True"


def test_readiness_gates_hold_back_ready_but_not_containers_ready() -> None:
    found = pod()
    found["spec"]["readinessGates"] = [{"conditionType": "example.com/ok"}]
    state = PodState(containers=[_running()])
    conditions = _conditions(found, state)
    assert conditions["ContainersReady"]["status"] == "True"
    assert conditions["Ready"]["reason"] == "ReadinessGatesNotReady"
    found["status"]["conditions"].append({"type": "example.com/ok", "status": "True"})
    assert _conditions(found, state)["Ready"]["status"] == "True"


def test_transition_times_move_only_with_the_status() -> None:
    found = pod()
    found["status"] = pod_status(found, PodState(containers=[_running()]), NOW)
    later = NOW + timedelta(seconds=60)
    same = pod_status(found, PodState(containers=[_running()]), later)
    assert same == found["status"]
    changed = pod_status(found, PodState(containers=[_running(ready=False)]), later)
    ready = next(entry for entry in changed["conditions"] if entry["type"] == "Ready")
    assert ready["lastTransitionTime"] == "2026-01-01T12:01:00Z"


def test_a_lost_process_counts_as_a_restart() -> None:
    found = pod()
    state = _running()
    state.restart_count = 2
    found["status"]["containerStatuses"] = [container_status(state)]
    again = restored(found, NOW, "gone")["main"]
    assert again.restart_count == 3
    assert again.last is not None
    assert (again.last.exit_code, again.last.reason) == (137, "ContainerStatusUnknown")
    assert again.running_since is None


def test_an_ended_container_stays_ended() -> None:
    found = pod()
    found["status"]["containerStatuses"] = [container_status(_ended(0))]
    again = restored(found, NOW, "gone")["main"]
    assert again.terminated == _end(0)
    assert again.restart_count == 0


def _environment(env: list[dict], **sources: dict) -> dict[str, str]:
    container = {"name": "main", "env": env}
    return environment.container_environment(pod(), container, environment.Sources(**sources), {"BASE": "b"})


def test_environment_sources_and_references() -> None:
    values = _environment(
        [
            {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
            {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}},
            {"name": "PASS", "valueFrom": {"secretKeyRef": {"name": "s", "key": "p"}}},
            {"name": "ALL", "value": "$(BASE)-$(KEY)-$(LATER)-$$(KEY)"},
            {"name": "LATER", "value": "x"},
        ],
        config_maps={"cm": {"data": {"k": "v"}}},
        secrets={"s": {"data": {"p": base64.b64encode(b"w").decode()}}},
    )
    assert values["NAME"] == "p"
    assert values["APP"] == "web"
    assert (values["KEY"], values["PASS"]) == ("v", "w")
    assert values["ALL"] == "b-v-$(LATER)-$(KEY)"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"configMapKeyRef": {"name": "cm", "key": "k"}}, 'configmap "cm" not found'),
        ({"secretKeyRef": {"name": "there", "key": "k"}}, "couldn't find key k in Secret ns/there"),
        ({"fieldRef": {"fieldPath": "spec.nothing"}}, "unsupported fieldPath"),
    ],
)
def test_what_is_missing_is_named(source: dict, message: str) -> None:
    with pytest.raises(environment.ConfigError, match=message):
        _environment([{"name": "X", "valueFrom": source}], secrets={"there": {"data": {}}})


def test_optional_references_may_be_missing() -> None:
    values = _environment(
        [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k", "optional": True}}}]
    )
    assert "X" not in values


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/etc/cfg/a.yaml", "/host/cfg/a.yaml"),
        ("--config-file=/etc/cfg/a.yaml", "--config-file=/host/cfg/a.yaml"),
        ("cat '/etc/cfg' > /scratch/out", "cat '/host/cfg' > /host/scratch/out"),
        ("/etc/cfg/deep/x", "/host/deep/x"),
        ("/etc/cfgs/a", "/etc/cfgs/a"),
        ("http://h/etc/cfg/a", "http://h/etc/cfg/a"),
        ("a:/scratch:b", "a:/host/scratch:b"),
    ],
)
def test_paths_under_a_mount_are_rewritten_and_others_are_not(text: str, expected: str) -> None:
    mounts = {"/etc/cfg": "/host/cfg", "/scratch": "/host/scratch", "/etc/cfg/deep": "/host/deep"}
    assert environment.translate_paths(text, mounts) == expected


TABLE = images.read_images(load_data("images.json"))


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("vllm/vllm-openai:v0.33.0", "vllm"),
        ("docker.io/vllm/vllm-openai@sha256:abc", "vllm"),
        ("localhost:5000/vllm/vllm-openai:latest", "vllm"),
        ("ghcr.io/llm-d/llm-d-cuda:v0.9.0", "vllm"),
        ("ghcr.io/llm-d/llm-d-router-endpoint-picker:v0.10.0", "endpoint-picker"),
        ("ghcr.io/llm-d/llm-d-inference-scheduler:v0.5.0", "endpoint-picker"),
        ("busybox", "process"),
        ("lamplight/process:1", "process"),
        ("registry.k8s.io/pause:3.10", "pause"),
        ("nginx:1", None),
    ],
)
def test_which_program_plays_an_image(reference: str, name: str | None) -> None:
    found = images.find_image(TABLE, reference)
    assert (found.name if found else None) == name


def _argv(reference: str, *, real: bool = False, **container: list[str]) -> list[str]:
    image = images.find_image(TABLE, reference)
    assert image is not None
    return images.command_line(image, {"name": "main", **container}, python="py", real_engine=real)


def test_command_lines() -> None:
    serve = ["vllm", "serve", "m"]
    assert _argv("vllm/vllm-openai", command=serve, args=["--port=1"]) == [
        "py", "-m", "apps.embedded.engine", "serve", "m", "--port=1",
    ]  # fmt: skip
    assert _argv("vllm/vllm-openai", args=["m"]) == ["py", "-m", "apps.embedded.engine", "serve", "m"]
    assert _argv("vllm/vllm-openai", real=True, command=serve) == serve
    assert _argv("ghcr.io/llm-d/llm-d-router-endpoint-picker", args=["--pool-name=p"]) == [
        "py", "-m", "apps.embedded.gateway", "--pool-name=p",
    ]  # fmt: skip
    assert _argv("busybox", command=["sh", "-c", "x"]) == ["sh", "-c", "x"]
    # beside a real engine its renderer is played all the same: the embedded picker asks the replicas to tokenize
    assert _argv("vllm/vllm-openai", command=["vllm", "launch", "render"], real=True)[:2] == ["py", "-m"]
    assert _argv("vllm/vllm-openai", command=["vllm", "serve", "m"], real=True) == ["vllm", "serve", "m"]
    with pytest.raises(ValueError, match="has no command"):
        _argv("busybox")


def test_a_real_engine_is_at_its_pods_address_and_its_sockets_have_names_that_fit() -> None:
    # vLLM names its sockets by a uuid in VLLM_RPC_BASE_PATH, else TMPDIR; sockaddr_un takes 107 characters
    long = {"TMPDIR": "/home/me/lamplight/.lamplight/kubelet/pods/" + "u" * 36 + "/tmp", "OMP_NUM_THREADS": "4"}
    argv, values = real_engine.adapted(["vllm", "serve", "m"], long, "127.0.0.9")
    assert argv == ["vllm", "serve", "m", "--host=127.0.0.9"]
    assert len(values["VLLM_RPC_BASE_PATH"]) + 1 + 36 <= 107
    assert (values["OMP_NUM_THREADS"], values["VLLM_TARGET_DEVICE"]) == ("4", "cpu")
    assert real_engine.adapted(argv, {"VLLM_RPC_BASE_PATH": "/run/x"}, "::1")[1]["VLLM_RPC_BASE_PATH"] == "/run/x"


def test_a_cpu_build_is_spared_what_it_refuses() -> None:
    extra = {"cpu_bytes_to_use": 1, "secondary_tiers": [{"type": "fs"}]}
    offloading = {"kv_connector": "OffloadingConnector", "kv_role": "kv_both"}
    tiers = {**offloading, "kv_connector_extra_config": {**extra, "spec_name": "TieringOffloadingSpec"}}
    both = {
        "kv_connector": "MultiConnector",
        "kv_connector_extra_config": {"connectors": [tiers, {**offloading, "kv_connector_extra_config": extra}]},
    }
    argv = ["vllm", "serve", "m", "--enable-sleep-mode", f"--kv-transfer-config={json.dumps(both)}"]
    taken, _ = real_engine.adapted(argv, {}, "127.0.0.9")
    assert [word for word in taken if not word.startswith("--kv")] == ["vllm", "serve", "m", "--host=127.0.0.9"]
    [config] = [json.loads(word.partition("=")[2]) for word in taken if word.startswith("--kv")]
    found = [each["kv_connector_extra_config"] for each in config["kv_connector_extra_config"]["connectors"]]
    assert [each["spec_name"] for each in found] == ["HostCopyTieringSpec", "HostCopySpec"]
    assert all(each["spec_module_path"] == "host_copies" for each in found)
    assert found[0]["secondary_tiers"] == [{"type": "fs"}]
    # what cannot be read is vLLM's to refuse, and other builds take it all
    wrong = ["vllm", "serve", "m", "--kv-transfer-config", "{"]
    assert real_engine.for_the_cpu_build(wrong) == [*wrong[:3], "--kv-transfer-config={"]
    assert real_engine.adapted(argv, {"VLLM_TARGET_DEVICE": "cuda"}, "::1")[0] == [*argv, "--host=::1"]


def test_an_unknown_image_names_those_there_are() -> None:
    message = images.unknown_image_message(TABLE, "nginx:1")
    assert "nginx:1" in message
    assert all(image.match[0] in message for image in TABLE)


def test_the_shipped_node_table_is_usable() -> None:
    entries = nodes.read_nodes(load_data("nodes.json"))
    assert sum(int(entry["capacity"].get("nvidia.com/gpu", "0")) for entry in entries) == 16
    node = nodes.node_object(entries[0])
    assert node["metadata"]["labels"]["nvidia.com/gpu.product"] == "NVIDIA-H200"
    status = nodes.node_status(entries[0], "127.0.0.2", 1, [], None, NOW)
    later = nodes.node_status(entries[0], "127.0.0.2", 1, [], status, NOW + timedelta(minutes=1))
    assert later["conditions"][3]["lastTransitionTime"] == status["conditions"][3]["lastTransitionTime"]
    assert later["conditions"][3]["lastHeartbeatTime"] != status["conditions"][3]["lastHeartbeatTime"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, 'needs "nodes"'),
        ({"nodes": [{"name": "a", "capacity": {"cpu": "1"}}]}, "node a: its capacity lacks memory, pods"),
        ({"nodes": [{"capacity": {}}]}, r"nodes\[0\]: give it a name"),
        ({"nodes": [{"name": "a", "capacity": {"cpu": "x", "memory": "1", "pods": "1"}}]}, "capacity of cpu"),
    ],
)
def test_a_bad_node_table_is_explained(table: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        nodes.read_nodes(table)
