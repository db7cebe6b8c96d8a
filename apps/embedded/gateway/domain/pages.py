"""Reading the few series of an engine's metrics page that routing needs."""

from __future__ import annotations

import re

from apps.physics.routing import Adapters, Load

SLEEP_STATE = "vllm:engine_sleep_state"
ADAPTERS = "vllm:lora_requests_info"
_SERIES = re.compile(rb"^(vllm:[a-z_]+)\{([^}\n]*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(rb'(\w+)="([^"]*)"')


def read_load(
    page: bytes,
    *,
    waiting: str = "vllm:num_requests_waiting",
    running: str = "vllm:num_requests_running",
    usage: str = "vllm:kv_cache_usage_perc",
) -> Load | None:
    """The load that an engine's page tells: requests summed and KV usage averaged over its engines (data parallel
    ranks); awake unless one of them says that it is not. None when the page lacks one of the series."""
    values: dict[str, list[float]] = {waiting: [], running: [], usage: []}
    blocks: int | None = None
    block_size: int | None = None
    awake = True
    adapters, told = None, -1.0
    for name, labels, value in _SERIES.findall(page):
        series = name.decode()
        if series in values:
            values[series].append(float(value))
        elif series == "vllm:cache_config_info":
            config = dict(_LABEL.findall(labels))
            blocks, block_size = _integer(config.get(b"num_gpu_blocks")), _integer(config.get(b"block_size"))
        elif series == SLEEP_STATE and dict(_LABEL.findall(labels)).get(b"sleep_state") == b"awake":
            awake = awake and float(value) > 0
        elif series == ADAPTERS and float(value) >= told:
            # one series for each state that there was; its value is when that was
            adapters, told = _adapters(dict(_LABEL.findall(labels))), float(value)
    if not all(values.values()):
        return None
    return Load(
        int(sum(values[waiting])),
        int(sum(values[running])),
        sum(values[usage]) / len(values[usage]),
        blocks,
        block_size,
        awake,
        adapters,
    )


def _adapters(labels: dict[bytes, bytes]) -> Adapters:
    running, waiting = (
        frozenset(name for name in labels.get(label, b"").decode().split(",") if name)
        for label in (b"running_lora_adapters", b"waiting_lora_adapters")
    )
    return Adapters(running, waiting, _integer(labels.get(b"max_lora")) or 0)


def _integer(text: bytes | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
