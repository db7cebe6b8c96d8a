"""A real vLLM as a process of a pod: what it needs where there is no accelerator and no network of its own."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

# the CPU build: a small cache, one thread, no word to the outside; a pod may say otherwise
ENVIRONMENT: Mapping[str, str] = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    # its processes talk over sockets that are files, whose path may have 107 characters: the pod's TMPDIR is too long
    "VLLM_RPC_BASE_PATH": tempfile.gettempdir(),
}
SITE = Path(__file__).with_name("real_engine_site")


def is_engine(argv: Sequence[str]) -> bool:
    """Whether a command line starts a vLLM server."""
    return len(argv) > 1 and argv[0].rpartition("/")[2] == "vllm" and argv[1] == "serve"


def adapted(argv: Sequence[str], environment: Mapping[str, str], address: str) -> tuple[list[str], dict[str, str]]:
    """The same server at the pod's own address: `--host`, and for ZeroMQ a site module, since vLLM's `tcp://*:5557`
    would be every pod's."""
    paths = [str(SITE), *filter(None, [environment.get("PYTHONPATH")])]
    values = {**ENVIRONMENT, **environment, "PYTHONPATH": os.pathsep.join(paths)}
    return [*argv, f"--host={address}"], values
