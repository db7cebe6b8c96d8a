"""The endpoint picker between a real API server and real engine simulators."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
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
    served_by,
)
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with run_cluster(tmp_path_factory.mktemp("cluster")) as running:
        running.create_pool(name="lasting")
        running.create_pool(name="doomed")
        yield running


@contextmanager
def run_replicas(directory: Path, cluster: Cluster, pool: str, *arguments: str) -> Iterator[list[EngineProcess]]:
    """Three replicas of the pool, as ready pods."""
    addresses = [loopback_address() for _ in range(3)]
    flags = ("--served-model-name", "llama", "--max-model-len", "8192", *arguments)
    with ExitStack() as stack:
        with ThreadPoolExecutor(3) as threads:
            started = threads.map(
                lambda host: stack.enter_context(run_engine(directory, *flags, host=host, port=ENGINE_PORT)), addresses
            )
        engines = list(started)
        for number, address in enumerate(addresses):
            cluster.create_pod(f"{pool}-{number}", address, app=pool)
        yield engines
        for number in range(3):
            cluster.delete_pod(f"{pool}-{number}")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[list[EngineProcess]]:
    with run_replicas(tmp_path_factory.mktemp("engines"), cluster, "lasting") as running:
        yield running


@pytest.fixture
def gateway(tmp_path: Path, cluster: Cluster, engines: list[EngineProcess]) -> Iterator[GatewayProcess]:
    with run_gateway(tmp_path, cluster, pool="lasting") as running:
        running.wait_for_endpoints(3)
        yield running


@pytest.fixture
def doomed(tmp_path: Path, cluster: Cluster) -> Iterator[tuple[GatewayProcess, list[EngineProcess]]]:
    """A picker with replicas that the test may kill; each takes one request at a time."""
    with run_replicas(tmp_path, cluster, "doomed", "--max-num-queued-reqs", "1") as replicas:
        with run_gateway(tmp_path, cluster, pool="doomed") as running:
            running.wait_for_endpoints(3)
            yield running, replicas


def ask(gateway: GatewayProcess, prompt: object, tokens: int = 4, **options: object) -> requests.Response:
    return gateway.post("/v1/completions", {"prompt": prompt, "max_tokens": tokens, "ignore_eos": True, **options})


def test_streams_go_through_unchanged(gateway: GatewayProcess, engines: list[EngineProcess]) -> None:
    body = {"prompt": "a b c d", "max_tokens": 30, "ignore_eos": True, "stream": True,
            "stream_options": {"include_usage": True}}  # fmt: skip
    response = gateway.post("/v1/completions", body, stream=True)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    lines = [line.removeprefix(b"data: ") for line in response.iter_lines() if line]
    assert lines[-1] == b"[DONE]"
    text = "".join(choice["text"] for line in lines[:-1] for choice in json.loads(line)["choices"])
    direct = engines[0].post("/v1/completions", {**body, "stream": False, "stream_options": None}).json()
    assert text == direct["choices"][0]["text"]
    chat = gateway.post("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3})
    assert chat.json()["usage"]["completion_tokens"] == 3
    page = gateway.metrics()
    assert 'llm_d_epp_request_ttft_seconds_count{model_name="",streaming="true",target_model_name=""} 1.0' in page
    assert re.search(r"llm_d_epp_request_streaming_itl_seconds_count\{[^}]*\} 29.0", page)
    assert re.search(r"llm_d_epp_request_output_tokens_sum\{[^}]*\} 33.0", page)


def test_a_shared_prefix_stays_on_one_replica(gateway: GatewayProcess, engines: list[EngineProcess]) -> None:
    before = served_by(engines)
    prefix = list(range(2000, 3000))
    for number in range(12):
        assert ask(gateway, [*prefix, *range(4000 + 100 * number, 4050 + 100 * number)]).status_code == 200
    assert sorted(after - was for after, was in zip(served_by(engines), before, strict=True)) == [0, 0, 12]


def test_distinct_prompts_spread_over_the_replicas(gateway: GatewayProcess, engines: list[EngineProcess]) -> None:
    before = served_by(engines)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda number: ask(gateway, list(range(number * 100, number * 100 + 90)), 60), range(1, 61)))
    served = [after - was for after, was in zip(served_by(engines), before, strict=True)]
    assert sum(served) == 60
    assert min(served) >= 4


def test_models_are_listed_once(gateway: GatewayProcess) -> None:
    assert [model["id"] for model in gateway.get("/v1/models").json()["data"]] == ["llama"]


def test_refusals_of_the_engine_pass_through(gateway: GatewayProcess) -> None:
    response = ask(gateway, "a", model="gpt")
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "The model `gpt` does not exist. Valid aliases: llama."
    bad = requests.post(gateway.url + "/v1/completions", data="{x", timeout=30)
    assert bad.status_code == 400
    assert "not JSON" in bad.json()["error"]["message"]
    assert 'error_code="404"' in gateway.metrics()


def test_a_dead_replica_costs_no_request(doomed: tuple[GatewayProcess, list[EngineProcess]]) -> None:
    gateway, engines = doomed
    engines[0].process.kill()
    engines[0].process.wait(timeout=60)
    statuses = [ask(gateway, [number] * 40).status_code for number in range(1, 21)]
    assert statuses == [200] * 20
    assert sum(served_by(engines[1:])) == 20


def test_a_replica_that_is_not_ready_gets_nothing(
    gateway: GatewayProcess, engines: list[EngineProcess], cluster: Cluster
) -> None:
    def state() -> set[str]:
        return {endpoint["address"] for endpoint in gateway.state()["endpoints"]}

    before = served_by(engines[:1])
    first = engines[0].url.removeprefix("http://")
    name = next(e["name"] for e in gateway.state()["endpoints"] if e["address"] == first)
    pod = name.split("/")[1].split(":")[0]
    cluster.set_ready(pod, False)
    wait_until(lambda: first not in state(), message="the picker dropped the replica")
    for number in range(1, 11):
        assert ask(gateway, [number] * 40).status_code == 200
    assert served_by(engines[:1]) == before
    cluster.set_ready(pod, True)
    wait_until(lambda: first in state(), message="the picker took the replica back")


def test_a_client_that_leaves_aborts_at_the_engine(gateway: GatewayProcess, engines: list[EngineProcess]) -> None:
    body = {"prompt": "a b c", "max_tokens": 7000, "ignore_eos": True, "stream": True}
    response = gateway.post("/v1/completions", body, stream=True)
    lines = response.iter_lines(chunk_size=1)
    next(lines)

    def running() -> float:
        return sum(engine.metric("vllm:num_requests_running") for engine in engines)

    assert running() == 1
    response.close()
    wait_until(lambda: running() == 0, message="the engine aborted the request")


def test_an_engine_that_dies_in_an_answer_cuts_the_connection(
    doomed: tuple[GatewayProcess, list[EngineProcess]],
) -> None:
    gateway, engines = doomed
    body = {"prompt": "a b c", "max_tokens": 7000, "ignore_eos": True, "stream": True}
    response = gateway.post("/v1/completions", body, stream=True)
    lines = response.iter_lines(chunk_size=1)
    next(lines)
    for engine in engines:
        engine.process.kill()
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        list(lines)
    wait_until(lambda: 'error_code="UpstreamReset"' in gateway.metrics(), message="the failure is counted")


def test_busy_engines_answer_503(doomed: tuple[GatewayProcess, list[EngineProcess]]) -> None:
    gateway, _ = doomed
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda number: ask(gateway, [number] * 40, 300), range(1, 13)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) >= 3
    assert statuses.count(503) >= 1
    busy = next(answer for answer in answers if answer.status_code == 503)
    assert "currently busy" in busy.json()["error"]["message"]


def test_no_endpoint(tmp_path: Path, cluster: Cluster) -> None:
    with run_gateway(tmp_path, cluster, pool="nothing") as gateway:
        for answer in (ask(gateway, "a"), gateway.get("/v1/models")):
            assert answer.status_code == 503
            assert "has no ready endpoint" in answer.json()["error"]["message"]
        assert gateway.get("/health").status_code == 503
        page = gateway.metrics()
        assert "llm_d_epp_ready_endpoints" in page
        assert 'error_code="503"' in page
        # a quick refusal is no quick answer
        assert "llm_d_epp_request_duration_seconds_count{" not in page


def test_configuration_file_and_refusals(tmp_path: Path, cluster: Cluster) -> None:
    config = tmp_path / "picker.yaml"
    config.write_text("kind: EndpointPickerConfig\nplugins: [{type: fastest-scorer}]\n")
    with (
        pytest.raises(AssertionError, match="unknown plugin type 'fastest-scorer'"),
        run_gateway(tmp_path, cluster, "--config-file", str(config)),
    ):
        pass
    with (
        pytest.raises(AssertionError, match="unrecognized arguments: --frobnicate"),
        run_gateway(tmp_path, cluster, "--frobnicate"),
    ):
        pass
    config.write_text("kind: EndpointPickerConfig\nplugins: [{type: random-picker}]\n")
    with run_gateway(
        tmp_path, cluster, "-config-file", str(config), "--zap-encoder=json", "-v", "2", "--tracing=false"
    ):
        pass


def test_sigterm_lets_answers_end(gateway: GatewayProcess) -> None:
    body = {"prompt": "a b c", "max_tokens": 200, "ignore_eos": True, "stream": True}
    response = gateway.post("/v1/completions", body, stream=True)
    lines = response.iter_lines(chunk_size=1)
    next(lines)
    gateway.process.send_signal(signal.SIGTERM)
    assert [line for line in lines if line][-1] == b"data: [DONE]"
    assert gateway.process.wait(timeout=60) == 0
