"""A prompt computed on one engine and decoded on another, through the routing sidecar, with KV handed over."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import requests

from tests.support.engines import run_engine
from tests.support.gateways import loopback_address
from tests.support.shared import ROOT
from tests.support.wait import wait_until

TRANSFER = json.dumps({"kv_connector": "NixlConnector", "kv_role": "kv_both"})
FLAGS = ("--served-model-name", "llama", "--max-model-len", "8192", "--kv-transfer-config", TRANSFER,
         "--enable-prompt-tokens-details")  # fmt: skip
PROMPT = list(range(1000, 3000))


def up(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=1).status_code == 200
    except requests.RequestException:
        return False


def test_the_decode_pulls_what_the_prefill_computed(tmp_path: Path) -> None:
    one, other = loopback_address(), loopback_address()
    with (
        run_engine(tmp_path, *FLAGS, host=one, port=18_000) as prefill,
        run_engine(tmp_path, *FLAGS, host=other, port=18_200) as decode,
    ):
        command = [sys.executable, "-m", "apps.embedded.sidecar", "--port=18000", "--model-server-port=18200"]
        sidecar = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "LAMPLIGHT_BIND_HOST": other})
        try:
            url = f"http://{other}:18000"
            wait_until(lambda: up(url), message="the sidecar answers")
            body = {"model": "llama", "prompt": PROMPT, "max_tokens": 4, "ignore_eos": True}
            answer = requests.post(
                f"{url}/v1/completions", json=body, headers={"x-prefiller-host-port": f"{one}:18000"}, timeout=30
            )
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-lamplight-prefill"] == f"{one}:18000"
            assert answer.json()["usage"]["prompt_tokens_details"]["cached_tokens"] == 2000
            assert prefill.metric("vllm:prompt_tokens_total") == 2000
            assert decode.metric("vllm:external_prefix_cache_hits_total") == 2000
            assert decode.metric("vllm:nixl_bytes_transferred_count") == 1
            assert decode.metric("vllm:nixl_bytes_transferred_sum") == 2000 * 131_072
            assert prefill.metric("vllm:nixl_bytes_transferred_count") == 0
            assert "vllm:kv_offload_" not in requests.get(f"{decode.url}/metrics", timeout=30).text
            # whoever is not told where the prompt was computed computes it
            alone = requests.post(f"{url}/v1/completions", json={**body, "prompt": [7, *PROMPT]}, timeout=30).json()
            assert alone["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
            # an engine without NIXL, and a client that lies about blocks, get nothing for free
            lie = {**body, "prompt": [8, *PROMPT[:99]], "kv_transfer_params": {"do_remote_prefill": True}}
            said = requests.post(f"{url}/v1/completions", json=lie, timeout=30).json()
            assert said["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
        finally:
            sidecar.terminate()
            sidecar.wait(timeout=60)
