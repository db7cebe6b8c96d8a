"""Starting and ending as vLLM does: refusals with their exit codes, SIGTERM with and without draining."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.support.engines import MODEL, EngineProcess, run_engine
from tests.support.shared import ROOT
from tests.support.wait import wait_until


def start(*arguments: str, model: str = MODEL, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run to the end what is expected to be refused."""
    return subprocess.run(
        [sys.executable, "-m", "apps.embedded.engine", "serve", model, *arguments],
        capture_output=True, text=True, timeout=90, cwd=ROOT,
        env={**os.environ, "LAMPLIGHT_ENGINE_STARTUP": "0", **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["--foo"], 2, "vllm serve: error: unrecognized arguments: --foo"),
        (["--port", "http"], 2, "argument --port: invalid int value: 'http'"),
        (["--max-model-len=200000"], 1, "User-specified max_model_len (200000) is greater than the derived"),
        (["--gpu-memory-utilization=0.05"], 1, "No available memory for the cache blocks"),
        (["--gpu-memory-utilization=1.5"], 1, "GPU memory utilization must be in (0, 1]"),
        (["--num-gpu-blocks-override=100"], 1, "the estimated maximum model length is 1584"),
        (["-tp", "3"], 1, "must be divisible by tensor parallel size (3)"),
        (["--custom-histogram-buckets", '{"ttft": [1]}'], 1, "unknown family 'ttft'"),
        (["--custom-histogram-buckets", '{"request_latency": [2, 1]}'], 1, "must strictly increase"),
    ],
)
def test_refused_command_lines(arguments: list[str], status: int, sentence: str) -> None:
    ended = start(*arguments)
    assert ended.returncode == status
    assert sentence in ended.stderr


def test_a_model_that_does_not_fit() -> None:
    ended = start(model="meta-llama/Llama-3.1-70B-Instruct", LAMPLIGHT_ACCELERATOR="nvidia-h100")
    assert ended.returncode == 1
    assert "No available memory for the cache blocks" in ended.stderr


def test_the_shape_of_a_local_model_is_its_configs(tmp_path: Path) -> None:
    config = {
        "num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 2,
        "intermediate_size": 128, "vocab_size": 1024, "max_position_embeddings": 512,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    with run_engine(tmp_path, model=str(tmp_path)) as engine:
        assert engine.get("/v1/models").json()["data"][0]["max_model_len"] == 512
    config.pop("num_hidden_layers")
    (tmp_path / "config.json").write_text(json.dumps(config))
    ended = start(model=str(tmp_path))
    assert ended.returncode == 1
    assert "has no 'num_hidden_layers'" in ended.stderr


def streaming(engine: EngineProcess, max_tokens: int) -> tuple[requests.Response, object]:
    """A stream that has begun."""
    body = {"prompt": "a b c", "max_tokens": max_tokens, "ignore_eos": True, "stream": True}
    response = engine.post("/v1/completions", body, stream=True)
    lines = response.iter_lines(chunk_size=1)
    next(lines)
    return response, lines


def rest(lines: object) -> tuple[list[str | None], bool]:
    """The finish reasons of what is left of a stream, and whether it ended with [DONE]."""
    data = [line.removeprefix(b"data: ") for line in lines if line]  # type: ignore[attr-defined]
    done = bool(data) and data[-1] == b"[DONE]"
    return [json.loads(line)["choices"][0]["finish_reason"] for line in data if line != b"[DONE]"], done


def refuses_connections(engine: EngineProcess) -> bool:
    try:
        engine.get("/health")
    except requests.ConnectionError:
        return True
    return False


def test_sigterm_aborts_by_default(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--max-model-len=8192") as engine:
        _, lines = streaming(engine, 8000)
        engine.process.send_signal(signal.SIGTERM)
        reasons, done = rest(lines)
        assert reasons[-1] == "abort"
        assert done
        wait_until(lambda: refuses_connections(engine), message="new connections are refused")
        assert engine.process.wait(timeout=60) == 0


def test_sigterm_drains_with_a_shutdown_timeout(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--shutdown-timeout=20", "--max-model-len=8192") as engine:
        _, lines = streaming(engine, 800)
        engine.process.send_signal(signal.SIGTERM)
        body = {"prompt": "b", "max_tokens": 1}
        refused = wait_until(
            lambda: [answer for answer in [engine.post("/v1/completions", body)] if answer.status_code == 500],
            message="new completions are refused",
        )
        assert refused[0].json()["error"]["message"] == "cannot schedule new futures after shutdown"
        assert engine.get("/health").status_code == 200
        reasons, done = rest(lines)
        assert reasons[-1] == "length"
        assert done
        assert engine.process.wait(timeout=60) == 0


def test_a_drain_that_runs_out_leaves_its_streams_unended(tmp_path: Path) -> None:
    """As the real one does: who keeps the time is the kubelet, which kills it."""
    with run_engine(tmp_path, "--shutdown-timeout=1", "--max-model-len=65536") as engine:
        response, lines = streaming(engine, 65_000)
        engine.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses_connections(engine), message="the time is up")
        assert engine.process.poll() is None
        response.raw._fp.fp.raw._sock.settimeout(0.3)
        heard = []
        with pytest.raises(requests.ConnectionError, match="timed out"):
            heard.extend(lines)  # type: ignore[call-overload]
        assert not any(b"[DONE]" in line or b"abort" in line for line in heard)
        response.close()
        assert engine.process.wait(timeout=60) == 0


def test_sigterm_before_it_listens(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.embedded.engine", "serve", MODEL],
        stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "LAMPLIGHT_ENGINE_STARTUP": "600"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "KV cache size" in line:
                break
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
