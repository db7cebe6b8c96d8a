"""Requests held by the picker while no replica can serve, between a real API server and real engine simulators."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from tests.support.engines import EngineProcess, run_engine
from tests.support.gateways import (
    ENGINE_PORT,
    Cluster,
    GatewayProcess,
    loopback_address,
    run_cluster,
    run_gateway,
)
from tests.support.wait import wait_until

FLAGS = ("--served-model-name", "llama", "--max-model-len", "8192", "--enable-sleep-mode")
ENVIRONMENT = {"VLLM_SERVER_DEV_MODE": "1", "LAMPLIGHT_TIME_SCALE": "20"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.create_pool()
        yield running


@contextmanager
def holding(directory: Path, cluster: Cluster, **section: object) -> Iterator[GatewayProcess]:
    config = {"kind": "EndpointPickerConfig", "featureGates": ["flowControl"], "flowControl": section}
    # as JSON, which is YAML too
    with run_gateway(directory, cluster, "--config-text", json.dumps(config)) as running:
        yield running


@contextmanager
def replica(directory: Path, cluster: Cluster, name: str) -> Iterator[EngineProcess]:
    address = loopback_address()
    with run_engine(directory, *FLAGS, host=address, port=ENGINE_PORT, environment=ENVIRONMENT) as engine:
        cluster.create_pod(name, address)
        try:
            yield engine
        finally:
            cluster.delete_pod(name)


def ask(gateway: GatewayProcess, tokens: int = 4, prompt: object = "a b c") -> requests.Response:
    return gateway.post(
        "/v1/completions", {"model": "llama", "prompt": prompt, "max_tokens": tokens, "ignore_eos": True}
    )


def value(gateway: GatewayProcess, name: str, **labels: str) -> float:
    """The sum of the series of the picker's page with these labels."""
    total = 0.0
    for found, number in re.findall(rf"^{name}\{{([^}}]*)\}} (\S+)$", gateway.metrics(), re.MULTILINE):
        if all(f'{key}="{wanted}"' in found for key, wanted in labels.items()):
            total += float(number)
    return total


def held(gateway: GatewayProcess) -> float:
    return value(gateway, "llm_d_epp_flow_control_queue_size", inference_pool="chat", model_name="llama")


def wait_held(gateway: GatewayProcess, count: int) -> None:
    wait_until(lambda: held(gateway) == count, message=f"{count} requests are held")


def test_requests_wait_for_the_first_replica(tmp_path: Path, cluster: Cluster) -> None:
    with holding(tmp_path, cluster) as gateway, ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask, gateway) for _ in range(5)]
        wait_held(gateway, 5)
        assert value(gateway, "llm_d_epp_flow_control_queue_bytes") > 5 * 50
        assert value(gateway, "llm_d_epp_flow_control_capacity_utilization_requests") == pytest.approx(0.005)
        assert value(gateway, "llm_d_epp_flow_control_pool_saturation", stage="effective") == 1
        assert value(gateway, "llm_d_epp_request_running") == 5
        with replica(tmp_path, cluster, "first"):
            assert [future.result(timeout=60).status_code for future in asked] == [200] * 5
            assert held(gateway) == 0
            assert value(gateway, "llm_d_epp_flow_control_requests_total", outcome="Dispatched") == 5
            duration = "llm_d_epp_flow_control_request_queue_duration_seconds"
            assert value(gateway, f"{duration}_count", outcome="Dispatched") == 5
            assert value(gateway, f"{duration}_sum") > 1
            wait_until(
                lambda: value(gateway, "llm_d_epp_flow_control_pool_saturation") < 1, message="saturation is told"
            )
            # nobody waits any more: requests pass without being counted as held
            assert ask(gateway).status_code == 200
            assert value(gateway, "llm_d_epp_flow_control_requests_total", outcome="Dispatched") == 5


def test_a_sleeper_gets_nothing_until_it_wakes(tmp_path: Path, cluster: Cluster) -> None:
    with (
        holding(tmp_path, cluster) as gateway,
        replica(tmp_path, cluster, "one") as one,
        replica(tmp_path, cluster, "two") as two,
        ThreadPoolExecutor(8) as pool,
    ):
        gateway.wait_for_endpoints(2)
        one.post("/sleep", {})
        wait_awake(gateway, 1)
        assert [ask(gateway, prompt=[number] * 64).status_code for number in range(8)] == [200] * 8
        assert one.metric("vllm:e2e_request_latency_seconds_count") == 0
        assert two.metric("vllm:e2e_request_latency_seconds_count") == 8
        two.post("/sleep", {})
        wait_awake(gateway, 0)
        assert value(gateway, "llm_d_epp_ready_endpoints") == 2
        asked = [pool.submit(ask, gateway) for _ in range(3)]
        wait_held(gateway, 3)
        assert two.metric("vllm:num_requests_waiting") == 0
        one.post("/wake_up", {})
        assert [future.result(timeout=60).status_code for future in asked] == [200] * 3
        assert one.metric("vllm:e2e_request_latency_seconds_count") == 3


def wait_awake(gateway: GatewayProcess, count: int) -> None:
    wait_until(lambda: value(gateway, "lamplight_epp_awake_endpoints") == count, message=f"{count} endpoints are awake")


def test_one_replica_is_not_given_all_that_waited(tmp_path: Path, cluster: Cluster) -> None:
    """With two in flight per replica, the oldest go first and the others stay in the queue."""
    detector = {"type": "concurrency-detector", "parameters": {"maxConcurrency": 2}}
    config = {"kind": "EndpointPickerConfig", "featureGates": ["flowControl"], "plugins": [detector],
              "flowControl": {"saturationDetector": {"pluginRef": "concurrency-detector"}}}  # fmt: skip
    with run_gateway(tmp_path, cluster, "--config-text", json.dumps(config)) as gateway:
        with ThreadPoolExecutor(6) as pool:
            asked: list[Future[requests.Response]] = []
            for number in range(6):
                asked.append(pool.submit(ask, gateway, 4000))
                wait_held(gateway, number + 1)
            with replica(tmp_path, cluster, "only") as engine:
                given = []
                while not all(future.done() for future in asked):
                    page = engine.get("/metrics").text
                    given.append(
                        sum(map(float, re.findall(r"^vllm:num_requests_(?:running|waiting){.*} (.+)$", page, re.M)))
                    )
                assert [future.result().status_code for future in asked] == [200] * 6
                assert max(given) == 2


def test_time_and_room_are_bounded(tmp_path: Path, cluster: Cluster) -> None:
    with holding(tmp_path, cluster, maxRequests=2, noEndpointRequestTTL="6s") as gateway:
        with ThreadPoolExecutor(2) as pool:
            asked = [pool.submit(ask, gateway) for _ in range(2)]
            wait_held(gateway, 2)
            refused = ask(gateway)
            assert refused.status_code == 429
            assert refused.headers["x-llm-d-request-dropped-reason"] == "capacity"
            assert "2 requests wait already" in refused.json()["error"]["message"]
            for future in asked:
                answer = future.result(timeout=60)
                assert answer.status_code == 503
                assert answer.headers["x-llm-d-request-dropped-reason"] == "no-endpoints"
                assert "had no endpoint ready for 6 s" in answer.json()["error"]["message"]
        assert held(gateway) == 0
        ended = "llm_d_epp_flow_control_requests_total"
        assert value(gateway, ended, outcome="EvictedNoEndpoints") == 2
        assert value(gateway, ended, outcome="RejectedCapacity") == 1
        assert value(gateway, "llm_d_epp_request_error_total", error_code="503") == 2
        assert value(gateway, "llm_d_epp_request_error_total", error_code="429") == 1


def test_who_goes_away_leaves_the_queue(tmp_path: Path, cluster: Cluster) -> None:
    with holding(tmp_path, cluster) as gateway:
        asking = HTTPConnection(gateway.address, 8081, timeout=60)
        asking.request("POST", "/v1/completions", json.dumps({"model": "llama", "prompt": "a"}))
        wait_held(gateway, 1)
        asking.close()
        wait_until(
            lambda: value(gateway, "llm_d_epp_flow_control_requests_total", outcome="EvictedContextCancelled") == 1,
            message="the request that nobody waits for is gone",
        )
        assert held(gateway) == 0


def test_a_picker_that_ends_refuses_what_it_holds(tmp_path: Path, cluster: Cluster) -> None:
    with holding(tmp_path, cluster) as gateway, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, gateway)
        wait_held(gateway, 1)
        gateway.process.send_signal(signal.SIGTERM)
        answer = asked.result(timeout=60)
        assert answer.status_code == 503
        assert "shutting down" in answer.json()["error"]["message"]


def test_models_are_told_while_nobody_serves(tmp_path: Path, cluster: Cluster) -> None:
    with holding(tmp_path, cluster) as gateway:
        assert gateway.get("/v1/models").status_code == 503, "nobody has served yet"
        with replica(tmp_path, cluster, "listed"):
            assert ask(gateway).status_code == 200
            wait_until(lambda: gateway.get("/v1/models").status_code == 200, message="it is listed")
        wait_until(lambda: value(gateway, "llm_d_epp_ready_endpoints") == 0, message="the replica is gone")
        assert [model["id"] for model in gateway.get("/v1/models").json()["data"]] == ["llama"]


OBJECTIVES = ("llm-d.ai", "v1alpha2", "inferenceobjectives")
REWRITES = ("llm-d.ai", "v1alpha2", "inferencemodelrewrites")


def make(cluster: Cluster, kind: tuple[str, str, str], name: str, **spec: object) -> None:
    body = {
        "apiVersion": "llm-d.ai/v1alpha2",
        "kind": "InferenceObjective" if kind is OBJECTIVES else "InferenceModelRewrite",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"poolRef": {"name": "chat"}, **spec},
    }
    cluster.run(lambda client: client.create(*kind, body, namespace="default"))


def test_objectives_give_priority_and_rewrites_the_model_that_serves(tmp_path: Path, cluster: Cluster) -> None:
    detector = {"type": "concurrency-detector", "parameters": {"maxConcurrency": 1}}
    config = {"kind": "EndpointPickerConfig", "featureGates": ["flowControl"], "plugins": [detector],
              "flowControl": {"saturationDetector": {"pluginRef": "concurrency-detector"}}}  # fmt: skip
    make(cluster, OBJECTIVES, "chat-premium", priority=100)
    make(cluster, OBJECTIVES, "chat-batch", priority=-10)
    make(cluster, REWRITES, "chat", rules=[
        {"matches": [{"model": {"value": "public"}}], "targets": [{"modelRewrite": "llama", "weight": 1}]},
    ])  # fmt: skip
    finished: list[str] = []

    def send(gateway: GatewayProcess, band: str) -> int:
        body = {"model": "public", "prompt": "a b c", "max_tokens": 1500, "ignore_eos": True}
        answer = gateway.post("/v1/completions", body, headers={"x-llm-d-inference-objective": f"chat-{band}"})
        finished.append(band)
        return answer.status_code

    with run_gateway(tmp_path, cluster, "--config-text", json.dumps(config)) as gateway, ThreadPoolExecutor(4) as pool:
        asked: list[Future[int]] = []
        for number, band in enumerate(("batch", "batch", "nobody", "premium")):
            asked.append(pool.submit(send, gateway, band))
            wait_until(
                lambda want=number + 1: value(gateway, "llm_d_epp_flow_control_queue_size") == want,
                message=f"{number + 1} requests are held",
            )
        assert value(gateway, "llm_d_epp_flow_control_queue_size", priority="100", model_name="llama") == 1
        with replica(tmp_path, cluster, "one"):
            assert [future.result(timeout=60) for future in asked] == [200] * 4
            assert finished == ["premium", "nobody", "batch", "batch"]
        served = {"model_name": "public", "target_model_name": "llama"}
        assert value(gateway, "llm_d_epp_request_total", **served, priority="100") == 1
        assert value(gateway, "llm_d_epp_request_total", **served, priority="-10") == 2
