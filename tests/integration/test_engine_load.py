"""`lamp load` against a real engine simulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import EngineProcess, run_engine
from tests.support.lamp import POOLS, run_server
from tests.support.shared import ROOT


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    with run_engine(
        tmp_path_factory.mktemp("engine"), "--max-model-len=16384", "--enable-prompt-tokens-details",
        "--served-model-name=llama", environment={"LAMPLIGHT_TIME_SCALE": "4"},
    ) as running:  # fmt: skip
        yield running


def lamp_load(*arguments: str, before: Sequence[str] = (), **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "controlplane.cli.main", *before, "load", *arguments],
        capture_output=True, text=True, timeout=90, cwd=ROOT, env={**os.environ, **environment},
    )  # fmt: skip


def report(*arguments: str) -> dict[str, Any]:
    ended = lamp_load(*arguments, "--json")
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_poisson_with_shared_prefixes(engine: EngineProcess) -> None:
    before = engine.metric("vllm:request_success_total", finished_reason="length")
    found = report(
        engine.url, "--rate=10", "--duration=4s", "--prefix-groups=2", "--prefix-tokens=512", "--question-tokens=64",
        "--output-tokens=20", "--seed=3",
    )  # fmt: skip
    assert found["requests"] == found["succeeded"] > 20
    assert found["errors"] == {}
    assert found["prompt_tokens"] == found["requests"] * 576
    assert found["output_tokens"] == found["requests"] * 20
    # all but the first of each of the two groups find the whole prefix
    assert found["cached_tokens"] == (found["requests"] - 2) * 512
    assert found["ttft"]["count"] == found["requests"]
    assert found["itl"]["count"] == found["requests"] * 19
    assert 0 < found["ttft"]["p50"] < found["e2e"]["p50"]
    after = engine.metric("vllm:request_success_total", finished_reason="length")
    assert after - before == found["requests"]


def test_chat_and_a_table_for_people(engine: EngineProcess) -> None:
    ended = lamp_load(
        engine.url + "/v1", "--api=chat", "--requests=5", "--rate=20", "--output-tokens=8", "--model=llama"
    )
    assert ended.returncode == 0, ended.stderr
    assert "5 of 5 requests succeeded" in ended.stdout
    assert ended.stdout.splitlines()[1].startswith("TTFT")
    assert "model llama" in ended.stderr


def test_a_trace_keeps_its_shared_blocks(engine: EngineProcess, tmp_path: Path) -> None:
    rows = [
        {
            "timestamp": number * 2000,
            "input_length": 1100 + number,
            "output_length": 5,
            "hash_ids": [7, 8, 100 + number],
        }
        for number in range(8)
    ]
    trace = tmp_path / "trace.jsonl"
    trace.write_text("\n".join(json.dumps(row) for row in rows))
    found = report(engine.url, "--trace", str(trace), "--time-scale=10")
    assert found["requests"] == 8
    assert found["duration"] < 10
    assert found["prompt_tokens"] == sum(row["input_length"] for row in rows)  # type: ignore[misc]
    assert found["cached_tokens"] == 7 * 1024
    cut = report(engine.url, "--trace", str(trace), "--time-scale=10", "--max-prompt-tokens=600", "--duration=8s",
                 "--start=4s")  # fmt: skip
    assert cut["prompt_tokens"] == 600 * cut["requests"]
    assert cut["requests"] == 6


def test_the_client_sheds_what_it_may_not_send(engine: EngineProcess) -> None:
    found = report(engine.url, "--rate=50", "--duration=1s", "--max-inflight=2", "--output-tokens=200")
    assert found["succeeded"] >= 2
    assert sum(found["errors"].values()) == found["requests"] - found["succeeded"] > 0
    assert all("shed" in error for error in found["errors"])


def test_errors_are_counted_by_kind(engine: EngineProcess) -> None:
    ended = lamp_load(engine.url, "--model=gpt", "--requests=3", "--rate=50", "--json")
    assert ended.returncode == 1
    assert "No request succeeded." in ended.stderr
    assert json.loads(ended.stdout)["errors"] == {"HTTP 404: The model `gpt` does not exist. Valid aliases: llama.": 3}


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        ([], 2, "Say what to load: pool/NAME, or a URL."),
        (["ftp://x"], 2, "'ftp://x' is neither a pool nor a URL"),
        (["http://127.0.0.1:1"], 5, "cannot be reached"),
        (["http://127.0.0.1:1", "--rate=-1"], 2, "Invalid value for '--rate'"),
        (["http://127.0.0.1:1", "--duration=soon"], 2, "'soon' is not a duration"),
        (["http://127.0.0.1:1", "--duration=1ms", "--rate=0.01"], 2, "Nothing to send"),
        (["http://127.0.0.1:1", "--trace", __file__], 2, "the header lacks"),
    ],
)
def test_refusals(arguments: list[str], status: int, sentence: str) -> None:
    ended = lamp_load(*arguments)
    assert ended.returncode == status, ended.stderr
    assert sentence in ended.stderr


def test_it_runs_without_django() -> None:
    code = "import sys, controlplane.cli.load, apps.benchmarks.load; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=90).returncode == 0


def test_a_pool_is_found_by_its_name(engine: EngineProcess, tmp_path: Path) -> None:
    pool = {"apiVersion": "lamplight.dev/v1", "kind": "Pool", "metadata": {"name": "chat", "team": "default"}}
    with run_server() as server:
        here = ["--server", server.url]
        environment = {"LAMPLIGHT_TOKEN": "lamp_x", "LAMPLIGHT_TEAM": "default", "HOME": str(tmp_path)}
        server.on("GET", f"{POOLS}/chat", (200, {**pool, "status": {"endpoint": engine.url}}))
        played = lamp_load("--pool=chat", "--requests=2", "--rate=50", "--json", before=here, **environment)
        assert played.returncode == 0, played.stderr
        assert json.loads(played.stdout)["succeeded"] == 2
        missing = lamp_load("--pool=other", before=here, **environment)
        assert missing.returncode == 3
        server.on("GET", f"{POOLS}/chat", (200, pool))
        early = lamp_load("--pool=chat", before=here, **environment)
        assert early.returncode == 1
        assert "has no endpoint yet" in early.stderr
