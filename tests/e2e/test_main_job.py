"""The main job through the doors people use: lamp, kubectl, curl on a streamed completion, the REST API."""

from __future__ import annotations

import json
import shutil
import urllib.request
from typing import Any

import pytest

from tests.support.stack import RunningStack
from tests.support.wait import wait_until

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not on PATH")

SIDE_POOL = """
apiVersion: lamplight.dev/v1
kind: Model
metadata: {{name: side-model}}
spec:
  source: hf://meta-llama/Llama-3.1-8B-Instruct
  shape: {{layers: 32, kvHeads: 8, headDim: 128, dtype: bfloat16}}
---
apiVersion: lamplight.dev/v1
kind: Pool
metadata: {{name: side}}
spec:
  model: side-model
  cluster: embedded
  namespace: serving
  path: optimized-baseline
  engine: {{image: "vllm/vllm-openai:v0.33.0", args: ["--max-model-len={length}"]}}
  variants:
    - {{name: h200, accelerator: nvidia-h200, replicas: {{min: {replicas}, max: 4}}}}
"""


def stream_chat(endpoint: str, model: str, *, max_tokens: int = 12, prompt: str = "Say something.") -> list[Any]:
    """The events of one streamed chat completion, as a client of the OpenAI API reads them."""
    body = {
        "model": model,
        "stream": True,
        "max_tokens": max_tokens,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": prompt}],
    }
    request = urllib.request.Request(
        f"{endpoint}/v1/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = [line.decode().strip() for line in answer]
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(item) for item in data[:-1]]


def live_pods(stack: RunningStack, pool: dict[str, Any]) -> dict[str, Any]:
    listed = stack.kubectl(
        *("get", "pods", "-n", "serving", "-o", "json", "-l"),
        f"lamplight.dev/pool-uid={pool['metadata']['uid']},llm-d.ai/inference-serving=true",
    )
    return {pod["metadata"]["name"]: pod for pod in json.loads(listed.stdout)["items"]}


@needs_kubectl
def test_console_api_kubectl_and_engines_tell_the_same_truth(running_stack: RunningStack):
    pool = running_stack.wait_healthy()
    # those that an earlier test scaled away may still be on their way out
    pods = wait_until(
        lambda: (found := live_pods(running_stack, pool)) and len(found) == 2 and found, message="there are two pods"
    )
    replicas = running_stack.get("/api/v1/teams/default/pools/chat/replicas")["items"]
    assert {r["name"] for r in replicas if r["variant"]} == set(pods)
    assert len(pods) == pool["status"]["replicas"]["desired"] == pool["status"]["replicas"]["ready"]
    table = running_stack.kubectl("get", "pods", "-n", "serving").stdout
    assert all(name in table for name in pods) and "Running" in table
    fleet = running_stack.get("/api/v1/fleet")["items"]
    row = next(r for r in fleet if (r["team"], r["name"]) == ("default", "chat"))
    assert (row["sync"], row["health"]) == ("Synced", "Healthy")
    assert "chat" in running_stack.lamp("get", "pools").stdout


def test_a_streamed_completion_through_the_gateway_and_its_traces_in_the_charts(running_stack: RunningStack):
    pool = running_stack.wait_healthy()
    endpoint = pool["status"]["endpoint"]
    with urllib.request.urlopen(f"{endpoint}/v1/models", timeout=30) as answer:
        model = json.loads(answer.read())["data"][0]["id"]
    events = stream_chat(endpoint, model, prompt="word " * 600)
    text = "".join(c["delta"].get("content") or "" for e in events for c in e["choices"])
    assert text
    assert events[-1]["usage"]["completion_tokens"] == 12

    def charted() -> bool:
        panel = running_stack.get("/api/v1/teams/default/pools/chat/panels/ttft")
        return panel["state"] == "ok" and any(v for s in panel["series"] for _, v in s["points"] if v is not None)

    wait_until(charted, message="the TTFT panel has points", step=1)


@needs_kubectl
def test_replicas_scale_engine_flags_roll_and_deletion_removes_only_what_is_ours(running_stack: RunningStack):
    stack = running_stack
    stack.lamp("apply", "-f", "-", stdin=SIDE_POOL.format(length=8192, replicas=1))
    try:
        pool = stack.wait_healthy("side", desired=1)
        first = set(live_pods(stack, pool))
        foreign = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "foreign", "namespace": "serving"}}
        stack.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps({**foreign, "data": {"a": "b"}}))

        stack.lamp("apply", "-f", "-", stdin=SIDE_POOL.format(length=8192, replicas=2))
        pool = stack.wait_healthy("side", desired=2, ready=2)
        scaled = set(live_pods(stack, pool))
        assert first < scaled, "scaling keeps the pods that run"

        stack.lamp("apply", "-f", "-", stdin=SIDE_POOL.format(length=4096, replicas=2))
        pool = stack.wait_healthy("side", desired=2, ready=2)
        rolled = wait_until(
            lambda: (pods := live_pods(stack, pool)) and not scaled & set(pods) and pods,
            message="every pod was replaced",
        )
        assert all("--max-model-len=4096" in pod["spec"]["containers"][0]["args"] for pod in rolled.values())

        unchanged = stack.lamp("apply", "-f", "-", stdin=SIDE_POOL.format(length=4096, replicas=2))
        assert unchanged.stdout.count("unchanged") == 2
    finally:
        stack.lamp("delete", "pool", "side", check=False)
    stack.lamp("wait", "--for=delete", "pool/side", "--timeout", "180s")
    owned = stack.kubectl(
        *("get", "deployments,replicasets,pods,services,configmaps,poddisruptionbudgets,serviceaccounts"),
        *("-n", "serving", "-l", f"lamplight.dev/pool-uid={pool['metadata']['uid']}", "-o", "name"),
    )
    assert owned.stdout == ""
    assert "configmap/foreign" in stack.kubectl("get", "configmap", "foreign", "-n", "serving", "-o", "name").stdout
    stack.kubectl("delete", "configmap", "foreign", "-n", "serving")
    assert stack.wait_healthy()["status"]["replicas"]["ready"] == 2, "the other pool was not touched"
    stack.lamp("delete", "model", "side-model")
