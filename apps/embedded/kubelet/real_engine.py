"""A real vLLM as a process of a pod: what it needs where there is no accelerator and no network of its own."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
# vLLM's specs of offloading, and ours of the same (real_engine_site/host_copies.py)
SPECS = {"CPUOffloadingSpec": "HostCopySpec", "TieringOffloadingSpec": "HostCopyTieringSpec"}


def is_engine(argv: Sequence[str]) -> bool:
    """Whether a command line starts a vLLM server."""
    return len(argv) > 1 and argv[0].rpartition("/")[2] == "vllm" and argv[1] == "serve"


def adapted(argv: Sequence[str], environment: Mapping[str, str], address: str) -> tuple[list[str], dict[str, str]]:
    """The same server at the pod's own address: `--host`, and for ZeroMQ a site module, since vLLM's `tcp://*:5557`
    would be every pod's. The CPU build is spared what it refuses and a pod on a GPU is rendered with."""
    paths = [str(SITE), *filter(None, [environment.get("PYTHONPATH")])]
    values = {**ENVIRONMENT, **environment, "PYTHONPATH": os.pathsep.join(paths)}
    if values["VLLM_TARGET_DEVICE"] == "cpu":
        argv = for_the_cpu_build(argv)
    return [*argv, f"--host={address}"], values


def for_the_cpu_build(argv: Sequence[str]) -> list[str]:
    """A command line as the CPU build takes it.

    Without `--enable-sleep-mode`, which it refuses ("Sleep mode is not supported on current platform."): the endpoints
    of sleep answer all the same, and no memory moves. With our copies between device and host in place of those that
    it refuses ("CPU Offloading is currently only supported on CUDA-alike and XPU GPUs").
    """
    given, taken = iter(argv), []
    for argument in given:
        name, separator, value = argument.partition("=")
        if name == "--enable-sleep-mode":
            continue
        if name == "--kv-transfer-config":
            argument = f"{name}={_copying(value if separator else next(given, ''))}"
        taken.append(argument)
    return taken


def _copying(text: str) -> str:
    try:
        config = json.loads(text)
    except ValueError:
        return text  # vLLM says what is wrong with it
    return json.dumps(_with_copies(config), separators=(",", ":"))


def _with_copies(config: Any) -> Any:
    """The configuration of a KV connector, and of those within it, with vLLM's own offloading specs replaced."""
    if isinstance(config, list):
        return [_with_copies(each) for each in config]
    if not isinstance(config, dict):
        return config
    found = {name: _with_copies(value) for name, value in config.items()}
    extra = found.get("kv_connector_extra_config")
    if found.get("kv_connector") == "OffloadingConnector" and isinstance(extra, dict):
        spec = SPECS.get(str(extra.get("spec_name", "CPUOffloadingSpec")))
        if spec is not None:
            found["kv_connector_extra_config"] = {**extra, "spec_name": spec, "spec_module_path": "host_copies"}
    return found
