"""The gateway of an Endpoint and the routing sidecar, as processes between clients and real engine simulators."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.support.engines import EngineProcess, run_engine
from tests.support.ports import free_port
from tests.support.shared import ROOT
from tests.support.wait import wait_until

KEYS = {"ada": "sk-ada-secret", "bob": "sk-bob-secret"}


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[EngineProcess]]:
    with ExitStack() as stack:
        directory = tmp_path_factory.mktemp("engines")
        yield [
            stack.enter_context(run_engine(directory, "--served-model-name", name, "--max-model-len", "8192"))
            for name in ("llama", "sql")
        ]


@contextmanager
def program(module: str, port: int, log: Path, *arguments: str) -> Iterator[str]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", module, f"--port={port}", *arguments], stdout=output, stderr=subprocess.STDOUT,
            cwd=ROOT, env={"LAMPLIGHT_BIND_HOST": "127.0.0.1", "PATH": ""},
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: process.poll() is not None or answers(url), message=f"{module} answers")
        assert process.poll() is None, log.read_text()
        yield url
    finally:
        process.kill()
        process.wait(timeout=60)


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=30).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory, engines: list[EngineProcess]) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("endpoint")
    keys = directory / "keys"
    keys.mkdir()
    for name, key in KEYS.items():
        (keys / name).write_text(hashlib.sha256(key.encode()).hexdigest())
    nobody = f"http://127.0.0.1:{free_port()}"
    document = {
        "endpoint": "chat",
        "models": {
            "chat": {"backends": [{"pool": "gone", "url": nobody, "model": "llama", "weight": 1}],
                     "failover": [{"pool": "blue", "url": engines[0].url, "model": "llama"}]},
            "sql": {"backends": [{"pool": "green", "url": engines[1].url, "model": "sql", "weight": 1}]},
        },
        "limits": {"default": {"requestsPerMinute": 60}, "bob": {"requestsPerMinute": 2, "tokensPerMinute": 100_000}},
    }  # fmt: skip
    config = directory / "endpoint.json"
    config.write_text(json.dumps(document))
    arguments = ("--config-file", str(config), "--keys", str(keys))
    with program("apps.embedded.endpoint", free_port(), directory / "log", *arguments) as url:
        yield url


def ask(url: str, model: str, key: str | None = KEYS["ada"], **more: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    body = {"model": model, "prompt": "a b c", "max_tokens": 5, "ignore_eos": True, **more}
    return requests.post(f"{url}/v1/completions", json=body, headers=headers, timeout=30)


def counted(url: str, name: str, **labels: str) -> float:
    from prometheus_client.parser import text_string_to_metric_families

    page = requests.get(f"{url}/metrics", timeout=30).text
    return sum(
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_models_keys_and_fail_over(endpoint: str) -> None:
    for key in (None, "sk-wrong"):
        refused = ask(endpoint, "chat", key)
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
    listed = requests.get(f"{endpoint}/v1/models", headers={"Authorization": f"Bearer {KEYS['ada']}"}, timeout=30)
    assert [row["id"] for row in listed.json()["data"]] == ["chat", "sql"]
    missing = ask(endpoint, "llama")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
    answered = ask(endpoint, "chat")
    assert (answered.status_code, answered.headers["x-lamplight-pool"]) == (200, "blue")
    assert ask(endpoint, "sql").headers["x-lamplight-pool"] == "green"
    assert KEYS["ada"] not in requests.get(f"{endpoint}/metrics", timeout=30).text


def test_tokens_are_metered_per_key_whether_or_not_the_client_asks_for_the_count(endpoint: str) -> None:
    before = counted(endpoint, "lamplight_endpoint_tokens_total", key="ada", kind="completion")
    plain = ask(endpoint, "sql")
    hidden = ask(endpoint, "sql", stream=True)
    shown = ask(endpoint, "sql", stream=True, stream_options={"include_usage": True})
    assert '"usage"' not in hidden.text or '"choices":[]' not in hidden.text
    assert hidden.text.rstrip().endswith("[DONE]")
    assert '"choices":[]' in shown.text
    assert plain.json()["usage"]["completion_tokens"] == 5
    after = counted(endpoint, "lamplight_endpoint_tokens_total", key="ada", kind="completion")
    assert after - before == 15
    assert counted(endpoint, "lamplight_endpoint_tokens_total", key="ada", kind="prompt", pool="green") > 0


def test_a_key_at_its_limit_is_told_when_to_come_back(endpoint: str) -> None:
    first, second, third = (ask(endpoint, "sql", KEYS["bob"]) for _ in range(3))
    assert (first.status_code, second.status_code, third.status_code) == (200, 200, 429)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert 1 <= int(third.headers["Retry-After"]) <= 30
    assert third.json()["error"]["code"] == "rate_limit_exceeded"
    assert ask(endpoint, "sql").status_code == 200
    assert counted(endpoint, "lamplight_endpoint_requests_total", key="bob", code="429") == 1


def test_the_sidecar_has_prompts_computed_where_it_is_told(engines: list[EngineProcess], tmp_path: Path) -> None:
    decode, prefill = engines[0], engines[1]
    port = decode.url.rpartition(":")[2]
    body = {"model": "llama", "prompt": "w " * 50, "max_tokens": 3, "ignore_eos": True}
    with run_engine(tmp_path, "--served-model-name", "llama") as apart:
        arguments = (f"--vllm-port={port}", "--connector=nixlv2", "--secure-proxy=false")
        with program("apps.embedded.sidecar", free_port(), tmp_path / "log", *arguments) as url:
            there = apart.url.removeprefix("http://")
            handed = requests.post(f"{url}/v1/completions", json=body, timeout=30,
                                   headers={"x-prefiller-host-port": there})  # fmt: skip
            assert (handed.status_code, handed.json()["usage"]["completion_tokens"]) == (200, 3)
            assert handed.headers["x-lamplight-prefill"] == there
            assert apart.metric("vllm:generation_tokens_total") == 1
            alone = requests.post(f"{url}/v1/completions", json=body, timeout=30)
            assert (alone.status_code, alone.headers["x-lamplight-prefill"]) == (200, "none")
            wrong = prefill.url.removeprefix("http://")
            refused = requests.post(f"{url}/v1/completions", json=body, timeout=30,
                                    headers={"x-prefiller-host-port": wrong})  # fmt: skip
            assert (refused.status_code, refused.headers["x-lamplight-prefill"]) == (200, "failed")
