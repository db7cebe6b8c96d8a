"""Documents proposed for what runs in a namespace already: the pure part."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.model import ModelSpec
from apps.pools.domain.importing import Surroundings, command_line, propose
from apps.pools.domain.replicas import Scaler
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.validation import Shape, faults_of
from tests.unit.pools.rendering import ACCELERATORS

AROUND = Surroundings("embedded", "serving", ACCELERATORS)

PLAIN: dict[str, Any] = yaml.safe_load("""
apiVersion: apps/v1
kind: Deployment
metadata:
  name: chat-h200
  namespace: serving
  labels: {app: chat}
  managedFields:
    - {manager: kubectl-client-side-apply, operation: Update}
    - {manager: kube-controller-manager, operation: Update, subresource: status}
spec:
  replicas: 3
  selector: {matchLabels: {app: chat}}
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 2, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: chat}}
    spec:
      nodeSelector: {nvidia.com/gpu.product: NVIDIA-H200}
      containers:
        - name: server
          image: vllm/vllm-openai:v0.33.0
          command: [vllm, serve]
          args: [meta-llama/Llama-3.1-8B-Instruct, --served-model-name, llama, --port, "8000", --max-model-len, "16384",
                 --tensor-parallel-size=2, --api-key=sk-verysecretvalue, --enable-prefix-caching]
          env:
            - {name: HUGGING_FACE_HUB_TOKEN, value: hf_averysecrettoken}
            - {name: VLLM_LOGGING_LEVEL, value: INFO}
            - {name: DB_PASSWORD, value: hunter2hunter2}
            - {name: FROM, valueFrom: {secretKeyRef: {name: a, key: b}}}
          lifecycle: {preStop: {exec: {command: [sleep, "15"]}}}
          resources:
            limits: {nvidia.com/gpu: "2", memory: 128Gi}
            requests: {cpu: "16", memory: 96Gi}
""")


def one(obj: Any, around: Surroundings = AROUND, services: Any = ()) -> Any:
    (found,) = propose([obj] if obj else [], services, around)
    return found


def changed(**container: Any) -> dict[str, Any]:
    obj = copy.deepcopy(PLAIN)
    obj["spec"]["template"]["spec"]["containers"][0] |= container
    return obj


def test_a_plain_deployment_becomes_a_model_and_a_pool_that_adopts_it() -> None:
    found = one(PLAIN)
    model, pool = found.documents
    assert model["spec"] == {"source": "hf://meta-llama/Llama-3.1-8B-Instruct", "servedName": "llama"}
    assert pool == {
        "apiVersion": "lamplight.dev/v1",
        "kind": "Pool",
        "metadata": {
            "name": "chat",
            "annotations": {"lamplight.dev/take-ownership-from": "kubectl-client-side-apply"},
        },
        "spec": {
            "model": "llama",
            "cluster": "embedded",
            "namespace": "serving",
            "engine": {
                "image": "vllm/vllm-openai:v0.33.0",
                "args": ["--max-model-len=16384", "--enable-prefix-caching"],
                "env": {"VLLM_LOGGING_LEVEL": "INFO"},
            },
            "variants": [
                {
                    "name": "h200",
                    "accelerator": "nvidia-h200",
                    "parallelism": {"tensor": 2, "pipeline": 1, "data": 1},
                    "replicas": {"min": 3, "max": 3},
                    "resources": {"cpu": "16", "memory": "128Gi"},
                }
            ],
            "routing": {"picker": False},
            "rollout": {"maxSurge": 2, "maxUnavailable": 0, "drainDelay": "15s"},
        },
    }
    assert found.adopts == ("Deployment/chat-h200",)
    said = " ".join(found.notes)
    assert "DB_PASSWORD, FROM" in said
    assert "--api-key is left out" in said


def test_no_secret_is_copied_and_every_proposal_is_a_valid_document() -> None:
    found = one(PLAIN)
    assert not [word for word in ("hunter2", "sk-very", "hf_avery") if word in json.dumps(found.to_json())]
    model, pool = found.documents
    ModelSpec.from_document(model["spec"])
    spec = PoolSpec.from_document(pool["spec"])
    assert faults_of("chat", spec, Shape(), None) == []


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        ({"command": ["vllm", "serve"], "args": ["m/x"]}, ["m/x"]),
        ({"command": ["/usr/bin/vllm", "serve", "m/x", "--a"]}, ["m/x", "--a"]),
        ({"command": ["python3", "-m", "vllm.entrypoints.openai.api_server", "--model", "m"]}, ["--model", "m"]),
        ({"command": ["/bin/sh", "-c", "sleep 1 && exec vllm serve m/x \\\n  --a 'b c'; echo"]}, ["m/x", "--a", "b c"]),
        ({"image": "vllm/vllm-openai:v0.33.0", "args": ["--model", "m/x"]}, ["--model", "m/x"]),
        ({"image": "nginx", "command": ["nginx"]}, None),
        ({"image": "vllm/router:1", "command": ["router"]}, None),
    ],
)
def test_the_command_line_is_found_in_every_way_that_people_write_it(container: Any, expected: Any) -> None:
    assert command_line(container) == expected


def test_what_is_not_vllm_or_is_kept_by_somebody_is_left_out() -> None:
    ours = copy.deepcopy(PLAIN)
    ours["metadata"]["labels"]["lamplight.dev/pool-uid"] = "x"
    kserves = copy.deepcopy(PLAIN)
    kserves["metadata"]["ownerReferences"] = [{"kind": "LLMInferenceService", "name": "s"}]
    assert propose([ours, kserves, changed(image="nginx", command=["nginx"], args=[])], [], AROUND) == []


def test_an_llm_d_release_behind_an_inference_pool_keeps_its_picker() -> None:
    obj = copy.deepcopy(PLAIN)
    obj["metadata"]["name"] = "ms-inference-scheduling-llm-d-modelservice-decode-for-a-very-long-name"
    obj["spec"]["template"]["metadata"]["labels"] |= {"llm-d.ai/inference-serving": "true", "llm-d.ai/role": "decode"}
    around = Surroundings("embedded", "serving", ACCELERATORS, selectors=[{"llm-d.ai/inference-serving": "true"}])
    found = one(obj, around)
    pool = found.documents[-1]
    assert (found.via, found.adopts, "routing" in pool["spec"]) == ("llm-d", (), False)
    assert "annotations" not in pool["metadata"]
    assert any("role decode" in note and "path pd-disaggregation" in note for note in found.notes)
    PoolSpec.from_document(pool["spec"])


def test_what_scales_it_goes_on_scaling_it() -> None:
    around = Surroundings(
        "embedded", "serving", ACCELERATORS, scalers=[Scaler("HorizontalPodAutoscaler", "hpa", "chat-h200")]
    )
    spec = one(PLAIN, around).documents[-1]["spec"]
    assert spec["autoscaling"] == {"mode": "external"}


def test_weights_on_a_claim_are_found_by_their_mount() -> None:
    obj = changed(args=["/models/llama"], volumeMounts=[{"name": "w", "mountPath": "/models", "subPath": "v1"}])
    obj["spec"]["template"]["spec"]["volumes"] = [{"name": "w", "persistentVolumeClaim": {"claimName": "weights"}}]
    model, _ = one(obj).documents
    assert model["spec"]["source"] == "pvc://weights/v1/llama"
    obj["spec"]["template"]["spec"]["volumes"] = []
    assert any("check the Model's source" in note for note in one(obj).notes)


def cached(volume: dict[str, Any], mount: str = "/root/.cache/huggingface", *, sub: str = "", **env: str) -> Any:
    at = {"name": "w", "mountPath": mount, **({"subPath": sub} if sub else {})}
    obj = changed(volumeMounts=[at], env=[{"name": name, "value": value} for name, value in env.items()])
    obj["spec"]["template"]["spec"]["volumes"] = [{"name": "w", **volume}]
    return obj


CLAIM = {"persistentVolumeClaim": {"claimName": "weights"}}
HOST = {"hostPath": {"path": "/mnt/models"}}


@pytest.mark.parametrize(
    ("obj", "cache", "env", "words"),
    [
        (cached(CLAIM), "weights", None, "claim weights is the pool's modelCache"),
        (cached(CLAIM, "/models/hf/", HF_HOME="/models/hf"), "weights", None, "claim weights is the pool's modelCache"),
        (cached(CLAIM, "/models", HF_HOME="/models/hf"), None, "/models/hf/hub", "stays on claim weights"),
        (cached(CLAIM, sub="x"), None, "/root/.cache/huggingface/hub", "stays on claim weights"),
        (cached(CLAIM, "/root/.cache"), None, "/root/.cache/huggingface/hub", "stays on claim weights"),
        (cached(HOST), None, "/root/.cache/huggingface/hub", "stays on the nodes' folder /mnt/models"),
        (cached(HOST, "/c", HF_HUB_CACHE="/c/hub"), None, "/c/hub", "stays on the nodes' folder /mnt/models"),
        (cached(HOST, HOME="/home/vllm"), None, None, ""),
        (cached({"emptyDir": {}}), None, None, ""),
        (cached(HOST, "/elsewhere"), None, None, ""),
    ],
)
def test_an_adopted_engine_keeps_what_it_has_downloaded(obj: Any, cache: Any, env: Any, words: str) -> None:
    found = one(obj)
    assert found.adopts
    spec = found.documents[-1]["spec"]
    assert spec.get("modelCache") == ({"claim": cache, "prefetch": False} if cache else None)
    assert spec["engine"].get("env", {}).get("HF_HUB_CACHE") == env
    said = [note for note in found.notes if "downloaded" in note]
    assert len(said) == bool(words)
    assert words in "".join(said)
    assert faults_of("chat", PoolSpec.from_document(spec), Shape(), None) == []


def test_where_nothing_is_adopted_a_cache_that_is_lost_is_told() -> None:
    obj = cached(HOST, HF_TOKEN="hf_averysecrettoken")
    found = one(obj)
    assert not found.adopts
    assert "HF_HUB_CACHE" not in json.dumps(found.documents)
    (said,) = [note for note in found.notes if "downloaded" in note]
    assert "the nodes' folder /mnt/models" in said
    assert "each replica fetches the weights anew" in said


def test_a_plain_token_stands_in_the_way_of_an_adoption_and_is_not_copied() -> None:
    found = one(changed(env=[{"name": "HF_TOKEN", "value": "hf_averysecrettoken"}]))
    assert (found.adopts, found.documents[-1]["metadata"]) == ((), {"name": "chat-h200"})
    assert any("HF_TOKEN is a plain value" in note for note in found.notes)
    assert "hf_avery" not in json.dumps(found.to_json())


def test_a_declared_model_of_the_same_source_is_used() -> None:
    around = Surroundings("embedded", "serving", ACCELERATORS, models={"l8": "hf://meta-llama/Llama-3.1-8B-Instruct"})
    (pool,) = one(PLAIN, around).documents
    assert pool["spec"]["model"] == "l8"


def test_a_kserve_service_is_made_beside_its_controllers_objects() -> None:
    service = yaml.safe_load("""
    apiVersion: serving.kserve.io/v1alpha1
    kind: LLMInferenceService
    metadata: {name: qwen, namespace: serving}
    spec:
      model: {uri: "hf://Qwen/Qwen3-8B", name: qwen3}
      replicas: 2
      parallelism: {tensor: 2}
      baseRefs: [{name: x}]
      template:
        containers:
          - {name: main, image: "ghcr.io/llm-d/llm-d:v0.5.0", args: ["--max-model-len=8192"],
             resources: {limits: {nvidia.com/gpu: "2", memory: 64Gi}}}
    """)
    found = one(None, services=[service])
    model, pool = found.documents
    assert (model["spec"]["source"], model["spec"]["servedName"]) == ("hf://Qwen/Qwen3-8B", "qwen3")
    assert pool["metadata"] == {"name": "qwen-pool"}
    variant = pool["spec"]["variants"][0]
    assert (variant["parallelism"]["tensor"], variant["replicas"]) == (2, {"min": 2, "max": 2})
    assert pool["spec"]["engine"]["args"] == ["--max-model-len=8192"]
    assert any("baseRefs" in note for note in found.notes)
    PoolSpec.from_document(pool["spec"])


def service(**spec: Any) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "ghcr.io/llm-d/llm-d:v0.5.0",
        "resources": {"limits": {"nvidia.com/gpu": "1"}},
    }
    given = {"model": {"uri": "hf://Qwen/Qwen3-8B"}, "template": {"containers": [container]}, **spec}
    return {"kind": "LLMInferenceService", "metadata": {"name": "qwen", "namespace": "serving"}, "spec": given}


def test_arguments_that_a_service_gives_by_a_variable_are_arguments() -> None:
    obj = service()
    text = "--enable-prefix-caching --hf-overrides '{\"a\": 1}' --tensor-parallel-size 2"
    env = [{"name": "VLLM_ADDITIONAL_ARGS", "value": text}, {"name": "MINE", "value": "1"}]
    obj["spec"]["template"]["containers"][0] |= {"args": ["--max-model-len=8192"], "env": env}
    engine = one(None, services=[obj]).documents[-1]["spec"]["engine"]
    assert engine["args"] == ["--max-model-len=8192", "--enable-prefix-caching", '--hf-overrides={"a": 1}']
    assert engine["env"] == {"MINE": "1"}
    assert one(None, services=[obj]).documents[-1]["spec"]["variants"][0]["parallelism"]["tensor"] == 2


def test_a_service_is_served_under_its_own_name_where_it_gives_none_and_keeps_its_revision() -> None:
    model, _ = one(None, services=[service(model={"uri": "hf://Qwen/Qwen3-8B:abc1"})]).documents
    assert model["spec"] == {"source": "hf://Qwen/Qwen3-8B", "servedName": "qwen", "revision": "abc1"}
    ModelSpec.from_document(model["spec"])


def test_the_bounds_of_a_service_s_scaling_are_kept() -> None:
    found = one(None, services=[service(scaling={"minReplicas": 2, "maxReplicas": 7, "wva": {}})])
    assert found.documents[-1]["spec"]["variants"][0]["replicas"] == {"min": 2, "max": 7}
    assert any("KServe scales it" in note for note in found.notes)


def test_what_a_service_has_and_a_pool_does_not_get_is_told() -> None:
    lora = {"adapters": [{"name": "sql", "uri": "hf://a/b"}]}
    obj = service(model={"uri": "hf://Qwen/Qwen3-8B", "lora": lora}, kvCacheOffloading={"cpu": "10Gi"})
    obj["metadata"]["annotations"] = {"serving.kserve.io/exp-dra-device-class": "gpu.nvidia.com"}
    del obj["spec"]["template"]["containers"][0]["image"]
    said = " / ".join(one(None, services=[obj]).notes)
    for words in ("adapters (sql)", "kvCacheOffloading", "device class gpu.nvidia.com", "KServe's presets"):
        assert words in said
    assert not any(words in " ".join(one(None, services=[service()]).notes) for words in ("LoRA", "presets", "claims"))


words = st.lists(st.text("abc-=_./0123 {}\"'$", max_size=12), max_size=6)


@given(words, words, st.sampled_from(["vllm/vllm-openai:v0.33.0", "x:1", "VLLM@bad", ""]))
def test_nothing_that_runs_breaks_the_reader(command: list[str], args: list[str], image: str) -> None:
    for found in propose([changed(command=["vllm", "serve", *command], args=args, image=image)], [], AROUND):
        json.dumps(found.to_json())
        assert found.documents[-1]["kind"] == "Pool"
