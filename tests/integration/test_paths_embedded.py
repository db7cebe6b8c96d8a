"""Pools of every path that the embedded cluster has the kinds for: their pods run, requests through the pool's gateway
are answered, and what the path is for is seen in the engines' own metrics."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from apps.gateways import verifying
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.domain.picker import COMPONENT_PICKER, DATA_PORT, METRICS_PORT
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.draining import deleted_replica_drains
from tests.support.pools import (
    cluster_document,
    declare,
    drain_until,
    model_document,
    pool,
    pool_document,
    variant_document,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
ONE = {"min": 1, "max": 1}
# a device that a few prompts fill
TINY_CACHE = ["--num-gpu-blocks-override=65", "--block-size=16", "--max-model-len=1024"]
POOLS: dict[str, dict[str, Any]] = {
    "precise": {
        "path": "precise-prefix-cache",
        "routing": {"precise": {"blockSize": 64}, "pickerReplicas": 2},
        "variants": [variant_document(replicas={"min": 2, "max": 2})],
        "rollout": {"drainDelay": "1s", "shutdownTimeout": "30s"},
    },
    "disagg": {
        "path": "pd-disaggregation",
        "routing": {"disaggregation": {"decider": {"nonCachedTokens": 16}}},
        "variants": [
            variant_document("prefill", role="prefill", replicas=ONE),
            variant_document("decode", role="decode", replicas=ONE),
        ],
    },
    "tiered": {
        "path": "tiered-prefix-cache",
        "engine": {"image": "vllm/vllm-openai:v0.33.0", "args": TINY_CACHE},
        "offload": {
            "mode": "fixed",
            "tiers": [{"kind": "host", "bytes": "1Gi"}, {"kind": "filesystem", "bytes": "2Gi", "claim": "kv-cache"}],
        },
        "variants": [variant_document(replicas=ONE)],
    },
    "kept": {
        "path": "tiered-prefix-cache",
        "offload": {"mode": "fixed", "tiers": [{"kind": "host", "bytes": "1Gi"}]},
        "variants": [variant_document(replicas=ONE)],
    },
    "predicted": {"path": "predicted-latency", "variants": [variant_document(replicas=ONE)]},
    "flow": {
        "path": "flow-control",
        "routing": {"flowControl": {"maxRequests": 50}},
        "variants": [variant_document(replicas=ONE)],
    },
    "adapted": {
        "path": "optimized-baseline",
        "adapters": {"maxLoaded": 2, "runtime": True},
        "speculative": {"method": "ngram", "tokens": 3},
        "variants": [variant_document(replicas=ONE)],
    },
}
SHAPE = {"layers": 32, "heads": 32, "kvHeads": 8, "headDim": 128, "parameters": 8_030_000_000}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "serving"}}
CLAIM = {
    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "kv-cache", "namespace": "serving"},
    "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "10Gi"}}},
}  # fmt: skip


cluster = shared_cluster(nodes=True)


@pytest.fixture
def serving(cluster: EmbeddedCluster) -> None:
    """All of them, healthy."""
    model = model_document()
    model["spec"]["shape"] = SHAPE
    declare(cluster_document(str(cluster.kubeconfig)), model, *(pool_document(n, **s) for n, s in POOLS.items()))
    cluster.kube.create(NAMESPACE, manager="a person")
    cluster.kube.create(CLAIM, manager="a person")
    drain_until(lambda: all(healthy(name) for name in POOLS), timeout=150, message="every pool is healthy")


def healthy(name: str) -> bool:
    return bool(pool(name).status.get("health") == "Healthy")


def ask(name: str, **body: Any) -> Any:
    """An answer of a pool's gateway."""
    whole = {"model": "tiny", "prompt": "hello there " * 40, "max_tokens": 3, "ignore_eos": True, **body}
    return post(pool(name).status["endpoint"] + "/v1/completions", whole)


def post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if text.startswith("{") else text


def engines(cluster: EmbeddedCluster, name: str) -> list[str]:
    """Addresses of a pool's engines."""
    return list(engines_by_name(cluster, name).values())


def engines_by_name(cluster: EmbeddedCluster, name: str) -> dict[str, str]:
    """The same, by the names of their pods."""
    labels = {POOL_UID: str(pool(name).uid), COMPONENT: COMPONENT_ENGINE}
    pods = cluster.kube.list(cluster.kube.resource("Pod", ""), "serving", labels=labels)
    return {
        pod["metadata"]["name"]: f"http://{pod['status']['podIP']}:8000" for pod in pods if pod["status"].get("podIP")
    }


def total(cluster: EmbeddedCluster, name: str, metric: str, **labels: str) -> float:
    """A counter, over the engines of a pool."""
    found = 0.0
    for url in engines(cluster, name):
        with urllib.request.urlopen(url + "/metrics", timeout=30) as answer:
            families = text_string_to_metric_families(answer.read().decode())
        found += sum(
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == metric and labels.items() <= sample.labels.items()
        )
    return found


@pytest.mark.usefixtures("serving")
def test_pools_of_every_path_serve_and_do_what_they_are_for(cluster: EmbeddedCluster) -> None:
    for name in POOLS:
        assert ask(name)["usage"]["completion_tokens"] == 3, name
    pickers_side_by_side_know_the_same(cluster)
    prompts_are_handed_over(cluster)
    what_is_new_goes_to_the_tiers()
    prefixes_come_back_from_the_tiers(cluster)
    adapters_are_loaded_while_it_runs(cluster)
    guesses_are_accepted(cluster)
    a_deleted_replica_completes_what_it_streams(cluster)


def pickers_side_by_side_know_the_same(cluster: EmbeddedCluster) -> None:
    """What one picker sent somewhere, the other would send there too: it heard the engine say what it holds."""
    labels = {POOL_UID: str(pool("precise").uid), COMPONENT: COMPONENT_PICKER}
    pods = cluster.kube.list(cluster.kube.resource("Pod", ""), "serving", labels=labels)
    one, other = (pod["status"]["podIP"] for pod in pods)
    prompts = [f"{number} " + "side by side " * 200 for number in range(4)]
    for prompt in prompts:
        post(f"http://{one}:{DATA_PORT}/v1/completions", {"model": "tiny", "prompt": prompt, "max_tokens": 1})

    def holders(picker: str, prompt: str) -> set[str]:
        """Engines that a picker says hold a beginning of a prompt."""
        asked = {"model": "tiny", "prompt": prompt}
        found = post(f"http://{picker}:{METRICS_PORT}/debug/routes/explain", asked)
        rows = found["profiles"][0]["candidates"]
        return {row["endpoint"] for row in rows if any(m["matchedTokens"] for m in row["prefix"].values())}

    def agrees() -> bool:
        return all(holders(other, prompt) and holders(other, prompt) == holders(one, prompt) for prompt in prompts)

    wait_until(agrees, message="the other picker knows what the engines hold")


def prompts_are_handed_over(cluster: EmbeddedCluster) -> None:
    """The pool's own test sees it by the engines' counters: the decode replica computes nothing of a prompt."""
    test = verifying.run(verifying.ask(pool=pool("disagg"), by="").id)
    assert test is not None
    (check,) = [each for each in test.checks if each["name"] == "hand-over"]
    assert check["status"] == "passed", test.checks
    assert "MB) was computed by" in check["message"]
    assert total(cluster, "disagg", "vllm:nixl_bytes_transferred_sum") > 0


def what_is_new_goes_to_the_tiers() -> None:
    """The pool's own test sees it by the engines' counters."""
    test = verifying.run(verifying.ask(pool=pool("kept"), by="").id)
    assert test is not None
    (check,) = [each for each in test.checks if each["name"] == "tier"]
    assert check["status"] == "passed", test.checks


def prefixes_come_back_from_the_tiers(cluster: EmbeddedCluster) -> None:
    source = "vllm:prompt_tokens_cached_by_source_total"
    prompts = [list(range(1000 * family, 1000 * family + 513)) for family in range(12)]
    for prompt in prompts:
        ask("tiered", prompt=prompt)
    wait_until(
        lambda: total(cluster, "tiered", "vllm:kv_offload_tiering_write_bytes_total", tier="1:fs") > 0,
        message="chunks are on the volume",
    )
    ask("tiered", prompt=prompts[0])
    ask("tiered", prompt=prompts[-2])
    wait_until(
        lambda: total(cluster, "tiered", source, source="host") + total(cluster, "tiered", source, source="disk") > 0,
        message="what the device lost comes back from a tier",
    )


def adapters_are_loaded_while_it_runs(cluster: EmbeddedCluster) -> None:
    (engine,) = engines(cluster, "adapted")
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("adapted", model="sql")
    assert refused.value.code == 404
    refused.value.close()
    post(f"{engine}/v1/load_lora_adapter", {"lora_name": "sql", "lora_path": "acme/sql"})
    assert ask("adapted", model="sql")["model"] == "sql"
    assert total(cluster, "adapted", "vllm:lora_requests_info") > 0
    post(f"{engine}/v1/unload_lora_adapter", {"lora_name": "sql"})
    with pytest.raises(urllib.error.HTTPError) as gone:
        ask("adapted", model="sql")
    assert gone.value.code == 404
    gone.value.close()


def guesses_are_accepted(cluster: EmbeddedCluster) -> None:
    ask("adapted", max_tokens=32)
    wait_until(
        lambda: (
            0
            < total(cluster, "adapted", "vllm:spec_decode_num_accepted_tokens_total")
            < total(cluster, "adapted", "vllm:spec_decode_num_draft_tokens_total")
        ),
        message="some of what was guessed is accepted",
    )


def a_deleted_replica_completes_what_it_streams(cluster: EmbeddedCluster) -> None:
    """As tests/e2e/test_both_engines.py shows it of a real vLLM too."""
    delete = lambda name: cluster.kube.delete(cluster.kube.resource("Pod"), name, "serving")  # noqa: E731
    gateway = str(pool("precise").status["endpoint"])
    # at the 7 ms a token of its accelerator some five seconds
    deleted_replica_drains(gateway, engines_by_name(cluster, "precise"), delete, tokens=700)
