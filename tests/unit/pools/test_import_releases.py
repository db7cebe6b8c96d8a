"""Documents proposed for releases whose prefill and decode run apart, and for groups that spread experts."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.pools import selectors
from apps.pools.domain.adoption import adoptable, fitted
from apps.pools.domain.importing import Proposal, Surroundings, propose
from apps.pools.domain.replicas import Scaler
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.validation import Shape, faults_of
from tests.unit.pools.paths import EXPERTS, LLAMA

SELECTED = {"llm-d.ai/inference-serving": "true", "llm-d.ai/guide": "pd-disaggregation"}
AROUND = Surroundings("embedded", "serving", selectors.accelerators(), selectors=[SELECTED])
NIXL = '{"kv_connector":"NixlConnector","kv_role":"kv_both"}'

# what the guide of llm-d for prefill and decode apart makes, reduced to what a reader of it meets
RELEASE: list[dict[str, Any]] = list(
    yaml.safe_load_all("""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ms-pd-prefill
  namespace: serving
  managedFields: [{manager: kubectl, operation: Apply}]
spec:
  replicas: 4
  selector:
    matchLabels: &prefill
      {llm-d.ai/inference-serving: "true", llm-d.ai/guide: pd-disaggregation, llm-d.ai/role: prefill}
  template:
    metadata: {labels: *prefill}
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H200}
      containers:
        - name: modelserver
          image: vllm/vllm-openai:v0.33.0
          command: [vllm, serve]
          args: [openai/gpt-oss-120b, --port=8000, --block-size=128, --max-model-len=32000,
                 --disable-uvicorn-access-log,
                 --kv-transfer-config, '{"kv_connector":"NixlConnector","kv_role":"kv_both"}']
          env:
            - {name: VLLM_NIXL_SIDE_CHANNEL_HOST, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: VLLM_HTTP_TIMEOUT_KEEP_ALIVE, value: "120"}
            - {name: VLLM_LOGGING_LEVEL, value: INFO}
          resources:
            limits: {nvidia.com/gpu: "1", rdma/ib: "1", memory: 64Gi}
            requests: {cpu: "8"}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ms-pd-decode
  namespace: serving
  managedFields: [{manager: kubectl, operation: Apply}]
spec:
  replicas: 2
  selector:
    matchLabels: &decode
      {llm-d.ai/inference-serving: "true", llm-d.ai/guide: pd-disaggregation, llm-d.ai/role: decode}
  template:
    metadata: {labels: *decode}
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H200}
      initContainers:
        - name: routing-proxy
          image: ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.10.0
          args: [--port=8000, --model-server-port=8200, --kv-connector=nixlv2, --secure-proxy=false]
          restartPolicy: Always
      containers:
        - name: modelserver
          image: vllm/vllm-openai:v0.33.0
          command: [vllm, serve]
          args: [openai/gpt-oss-120b, --port=8200, --block-size=128, --max-model-len=32000, --tensor-parallel-size=4,
                 --max-num-seqs=256, --disable-uvicorn-access-log,
                 --kv-transfer-config, '{"kv_connector":"NixlConnector","kv_role":"kv_both"}']
          env:
            - {name: VLLM_NIXL_SIDE_CHANNEL_HOST, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
            - {name: VLLM_LOGGING_LEVEL, value: INFO}
          resources:
            limits: {nvidia.com/gpu: "4", rdma/ib: "1", memory: 64Gi}
            requests: {cpu: "16"}
""")
)


def group(role: str, replicas: int, **env: str) -> dict[str, Any]:
    """A LeaderWorkerSet as the guide of llm-d for wide expert parallelism has it."""
    script = (
        "#!/bin/bash\nfind /dev/shm -type f -delete\nSTART_RANK=$(( ${LWS_WORKER_INDEX:-0} * DP_SIZE_LOCAL ))\n"
        "exec vllm serve deepseek-ai/DeepSeek-R1 \\\n  --port 8200 \\\n  --trust-remote-code \\\n"
        "  --enable-expert-parallel --tensor-parallel-size $TP_SIZE \\\n"
        "  --data-parallel-size $((LWS_GROUP_SIZE*DP_SIZE_LOCAL)) --data-parallel-size-local $DP_SIZE_LOCAL \\\n"
        "  --data-parallel-address ${LWS_LEADER_ADDRESS} --data-parallel-rpc-port 5555 \\\n"
        "  --data-parallel-start-rank $START_RANK \\\n"
        f"  --kv_transfer_config '{NIXL}' \\\n  --async-scheduling"
    )
    if role == "decode":
        balance = '{"window_size":"1000","step_interval":"3000","num_redundant_experts":"64"}'
        script += f" \\\n  --enable-dbo --dbo-decode-token-threshold 48 --enable-eplb --eplb-config '{balance}'"
    variables = {"DP_SIZE_LOCAL": "8", "TP_SIZE": "1", "NVSHMEM_REMOTE_TRANSPORT": "ibgda", **env}
    labels = {"llm-d.ai/model": "DeepSeek-R1", "llm-d.ai/guide": "wide-ep-lws", "llm-d.ai/role": role}
    container = {
        "name": "vllm",
        "image": "vllm/vllm-openai:v0.33.0",
        "command": ["/bin/bash", "-c"],
        "args": [script],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "resources": {"limits": {"nvidia.com/gpu": "8", "memory": "512Gi"}, "requests": {"cpu": "32"}},
    }
    return {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {
            "name": f"wide-ep-{role}",
            "namespace": "serving",
            "managedFields": [{"manager": "helm", "operation": "Update"}],
        },
        "spec": {
            "replicas": replicas,
            "leaderWorkerTemplate": {
                "size": 2,
                "workerTemplate": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H200"},
                        "containers": [container],
                    },
                },
            },
        },
    }


def release(change: Any = None) -> list[dict[str, Any]]:
    objects = copy.deepcopy(RELEASE)
    if change is not None:
        change(*objects)
    return objects


def one(objects: list[dict[str, Any]], around: Surroundings = AROUND) -> Proposal:
    (found,) = propose(objects, [], around)
    return found


def engine_of(obj: dict[str, Any]) -> dict[str, Any]:
    return obj["spec"]["template"]["spec"]["containers"][0]  # type: ignore[no-any-return]


def spec_of(found: Proposal) -> PoolSpec:
    return PoolSpec.from_document(found.documents[-1]["spec"])


def test_prefill_and_decode_of_a_release_are_one_pool_that_adopts_both() -> None:
    found = one(release())
    model, pool = found.documents
    assert model["spec"] == {"source": "hf://openai/gpt-oss-120b", "servedName": "openai/gpt-oss-120b"}
    shape = {"accelerator": "nvidia-h200"}
    assert pool == {
        "apiVersion": "lamplight.dev/v1",
        "kind": "Pool",
        "metadata": {"name": "ms-pd", "annotations": {"lamplight.dev/take-ownership-from": "kubectl"}},
        "spec": {
            "model": "gpt-oss-120b",
            "cluster": "embedded",
            "namespace": "serving",
            "path": "pd-disaggregation",
            "engine": {
                "image": "vllm/vllm-openai:v0.33.0",
                "args": ["--max-model-len=32000", "--disable-uvicorn-access-log"],
                "env": {"VLLM_LOGGING_LEVEL": "INFO"},
            },
            "variants": [
                {
                    "name": "prefill",
                    **shape,
                    "role": "prefill",
                    "parallelism": {"tensor": 1, "pipeline": 1, "data": 1},
                    "replicas": {"min": 4, "max": 4},
                    "resources": {"cpu": "8", "memory": "64Gi"},
                },
                {
                    "name": "decode",
                    **shape,
                    "role": "decode",
                    "parallelism": {"tensor": 4, "pipeline": 1, "data": 1},
                    "replicas": {"min": 2, "max": 2},
                    "resources": {"cpu": "16", "memory": "64Gi"},
                },
            ],
            "routing": {"disaggregation": {"fabric": "infiniband"}},
        },
    }
    assert found.adopts == ("Deployment/ms-pd-prefill", "Deployment/ms-pd-decode")
    assert (found.via, found.name) == ("llm-d", "ms-pd-prefill, ms-pd-decode")
    assert any(note.startswith("decode alone has --max-num-seqs=256") for note in found.notes)
    assert faults_of("ms-pd", spec_of(found), Shape(), None, model=LLAMA, dialect=dialect("current")) == []


def test_it_is_said_where_no_inference_pool_selects_what_runs() -> None:
    own = "an InferencePool and an endpoint picker of its own, named ms-pd and ms-pd-epp"
    assert any(f"{own}: send the route there, then delete" in note for note in one(release()).notes)
    for selectors_ in ([], [{"app": "something-else"}]):
        notes = one(release(), dataclasses.replace(AROUND, selectors=selectors_)).notes
        (said,) = (note for note in notes if own in note)
        assert said.startswith("no InferencePool of namespace serving selects these pods")
        assert "delete the present ones" not in said


def test_settings_of_the_path_are_read_from_what_runs() -> None:
    mooncake = '{"kv_connector":"MooncakeConnector","kv_role":"kv_consumer"}'

    def changed(prefill: Any, decode: Any) -> None:
        for obj in (prefill, decode):
            args = [word.replace("128", "64") if "block" in word else word for word in engine_of(obj)["args"]]
            engine_of(obj)["args"] = [mooncake if word == NIXL else word for word in args]
            engine_of(obj)["resources"]["limits"].pop("rdma/ib")
        engine_of(prefill)["image"] = "vllm/vllm-openai:v0.32.0"
        decode["spec"]["template"]["spec"]["initContainers"][0]["args"] = ["--vllm-port=8200", "--connector=mooncake"]

    config = {"plugins": [{"type": "prefix-based-pd-decider", "parameters": {"nonCachedTokens": 16}}, "odd", {}]}
    pool = one(release(changed), dataclasses.replace(AROUND, pickers=[config, {"plugins": None}])).documents[-1]
    assert pool["spec"]["routing"] == {
        "disaggregation": {"connector": "mooncake", "blockSize": 64, "decider": {"nonCachedTokens": 16}}
    }
    assert pool["spec"]["dialect"] == "0.5", "the sidecar's flags are those of 0.5"
    assert pool["spec"]["variants"][0]["image"] == "vllm/vllm-openai:v0.32.0"


@pytest.mark.parametrize(
    ("plugin", "decider"),
    [
        ({"type": "always-disagg-pd-decider"}, {"always": True}),
        ({"type": "pd-profile-handler", "parameters": {"threshold": 0, "hashBlockSize": 5}}, {"always": True}),
        ({"type": "pd-profile-handler", "parameters": {"threshold": 100}}, {"nonCachedTokens": 100}),
        ({"type": "prefix-based-pd-decider", "parameters": "no"}, {"nonCachedTokens": 0}),
    ],
)
def test_the_pickers_decider_is_kept(plugin: Any, decider: Any) -> None:
    found = one(release(), dataclasses.replace(AROUND, pickers=[{"plugins": [plugin]}]))
    assert found.documents[-1]["spec"]["routing"]["disaggregation"]["decider"] == decider
    spec_of(found)


def test_names_without_a_common_beginning_and_odd_sidecars_are_made_beside() -> None:
    def renamed(prefill: Any, decode: Any) -> None:
        prefill["metadata"]["name"], decode["metadata"]["name"] = "alpha", "beta"

    def sidecar(prefill: Any, decode: Any) -> None:
        pod = decode["spec"]["template"]["spec"]
        pod["containers"] += pod.pop("initContainers")

    def plain(prefill: Any, decode: Any) -> None:
        engine_of(prefill)["env"][0] = {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "value": "10.0.0.1"}

    for change, name, word in [
        (renamed, "beta-pool", "left alone"),
        (sidecar, "ms-pd-pool", "two would listen on one port"),
        (plain, "ms-pd-pool", "VLLM_NIXL_SIDE_CHANNEL_HOST of ms-pd-prefill is a plain value"),
    ]:
        found = one(release(change))
        pool = found.documents[-1]
        assert (pool["metadata"], found.adopts) == ({"name": name}, ())
        assert [variant["name"] for variant in pool["spec"]["variants"]] == ["prefill", "decode"]
        assert word in " ".join(found.notes)
        spec_of(found)


def test_releases_of_other_models_and_roles_without_a_counterpart_stay_apart() -> None:
    def another(prefill: Any, decode: Any) -> None:
        engine_of(decode)["args"][0] = "another/model"

    found = propose(release(another), [], AROUND)
    assert [proposal.name for proposal in found] == ["ms-pd-decode", "ms-pd-prefill"]
    assert all("path pd-disaggregation" in " ".join(proposal.notes) for proposal in found)
    (alone,) = propose(release()[:1], [], AROUND)
    assert alone.documents[-1]["spec"]["variants"][0]["name"] == "prefill"


def test_what_scales_one_role_goes_on() -> None:
    around = dataclasses.replace(AROUND, scalers=[Scaler("ScaledObject", "by-kv", "ms-pd-decode")])
    pool = one(release(), around).documents[-1]["spec"]
    assert pool["autoscaling"] == {"mode": "external"}
    assert [v["replicas"] for v in pool["variants"]] == [{"min": 4, "max": 4}, {"min": 0, "max": 1000}]


def test_groups_that_spread_experts_become_wide_ep() -> None:
    found = one([group("prefill", 1), group("decode", 1, VLLM_ALL2ALL_BACKEND="deepep_low_latency")])
    spec = found.documents[-1]["spec"]
    assert spec["path"] == "wide-ep"
    assert spec["engine"]["args"] == ["--trust-remote-code"]
    assert "env" not in spec["engine"]
    wide = {"tensor": 1, "pipeline": 1, "data": 16}
    assert [(v["name"], v["role"], v["groupSize"], v["parallelism"]) for v in spec["variants"]] == [
        ("prefill", "prefill", 2, wide),
        ("decode", "decode", 2, wide),
    ]
    assert spec["routing"]["expertParallel"] == {"redundantExperts": 64, "dualBatchTokens": 48}
    assert found.adopts == ("LeaderWorkerSet/wide-ep-prefill", "LeaderWorkerSet/wide-ep-decode")
    assert any("shape.experts" in note for note in found.notes)
    assert not [note for note in found.notes if "would not take its arguments" in note]
    assert faults_of("wide-ep", spec_of(found), Shape(), None, model=EXPERTS, dialect=dialect("current")) == []


def test_a_group_that_does_both_is_wide_ep_too_and_one_without_experts_is_said_to_be_none() -> None:
    both = group("both", 2)
    spec = one([both]).documents[-1]["spec"]
    assert (spec["path"], [v["role"] for v in spec["variants"]]) == ("wide-ep", ["both"])
    assert "disaggregation" not in spec["routing"]
    container = both["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["containers"][0]
    container |= {
        "command": ["vllm", "serve"],
        "args": ["m/x", "--pipeline-parallel-size=2", "--tensor-parallel-size=8"],
    }
    found = one([both])
    assert "a group of 2 pods" in " ".join(found.notes)
    assert (found.adopts, found.kind) == ((), "LeaderWorkerSet")
    spec_of(found)


def test_a_group_is_laid_over_in_place_unless_its_leader_is_of_another_make() -> None:
    live = group("decode", 1)
    assert adoptable(live, frozenset({"helm"}))
    rendered = group("decode", 1)
    rendered["metadata"]["labels"] = {"lamplight.dev/pool-uid": "u"}
    rendered["spec"]["leaderWorkerTemplate"]["workerTemplate"]["spec"]["containers"][0]["name"] = "engine"
    laid = fitted(rendered, live)
    assert laid["metadata"]["labels"] == {"lamplight.dev/pool-uid": "u", "lamplight.dev/adopted": "true"}
    worker = laid["spec"]["leaderWorkerTemplate"]["workerTemplate"]
    assert [c["name"] for c in worker["spec"]["containers"]] == ["vllm"], "one engine in a pod, under its present name"
    live["spec"]["leaderWorkerTemplate"]["leaderTemplate"] = {"spec": {"containers": []}}
    assert not adoptable(live, frozenset({"helm"}))


def test_a_kserve_service_with_prefill_keeps_both_roles() -> None:
    service = yaml.safe_load("""
    apiVersion: serving.kserve.io/v1alpha2
    kind: LLMInferenceService
    metadata: {name: qwen, namespace: serving}
    spec:
      model: {uri: "hf://Qwen/Qwen3-8B", name: qwen3}
      replicas: 1
      parallelism: {tensor: 4}
      template:
        containers: [{name: main, image: "vllm/vllm-openai:v0.33.0", resources: {limits: {nvidia.com/gpu: "4"}}}]
      prefill:
        replicas: 3
        template:
          containers: [{name: main, image: "vllm/vllm-openai:v0.33.0", resources: {limits: {nvidia.com/gpu: "1"}}}]
    """)
    (found,) = propose([], [service], AROUND)
    model, pool = found.documents
    assert model["spec"] == {"source": "hf://Qwen/Qwen3-8B", "servedName": "qwen3"}
    assert (pool["metadata"], pool["spec"]["path"]) == ({"name": "qwen-pool"}, "pd-disaggregation")
    roles = [(v["name"], v["role"], v["replicas"]["min"], v["parallelism"]["tensor"]) for v in pool["spec"]["variants"]]
    assert roles == [("prefill", "prefill", 3, 1), ("decode", "decode", 1, 4)]
    assert (found.via, found.adopts) == ("kserve", ())
    assert faults_of("qwen-pool", spec_of(found), Shape(), None, model=LLAMA, dialect=dialect("current")) == []


def test_a_secret_of_either_role_is_not_copied() -> None:
    def secret(prefill: Any, decode: Any) -> None:
        engine_of(decode)["args"].append("--api-key=sk-verysecretvalue")
        engine_of(prefill)["env"].append({"name": "AWS_SECRET_ACCESS_KEY", "value": "hunter2hunter2"})

    text = json.dumps(one(release(secret)).to_json())
    assert not [word for word in ("sk-very", "hunter2") if word in text]


words = st.lists(st.text("abc-=_./0123 {}\"'$()*", max_size=12), max_size=6)


@given(words, words, st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=3), max_size=2))
def test_nothing_that_runs_breaks_the_reader(prefill: list[str], decode: list[str], parameters: Any) -> None:
    def changed(*objects: Any) -> None:
        for obj, args in zip(objects, (prefill, decode), strict=True):
            engine_of(obj)["args"][1:] = args

    around = dataclasses.replace(
        AROUND, pickers=[{"plugins": [{"type": "pd-profile-handler", "parameters": parameters}]}]
    )
    for found in propose(release(changed), [], around):
        json.dumps(found.to_json())
        assert found.documents[-1]["kind"] == "Pool"
