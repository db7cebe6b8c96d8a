"""What an engine's metrics page tells of a replica."""

from __future__ import annotations

import pytest

from apps.embedded.gateway.domain.pages import read_load
from apps.physics.routing import Adapters

LABELS = '{engine="0",model_name="m"}'
LOAD = [
    f"vllm:num_requests_waiting{LABELS} 0.0",
    f"vllm:num_requests_running{LABELS} 0.0",
    f"vllm:kv_cache_usage_perc{LABELS} 0.0",
]


@pytest.mark.parametrize(("state", "awake"), [("1.0", True), ("0.0", False), (None, True)])
def test_a_page_tells_who_sleeps(state: str | None, awake: bool) -> None:
    lines = list(LOAD)
    if state is not None:
        lines.append(f'vllm:engine_sleep_state{{engine="0",model_name="m",sleep_state="awake"}} {state}')
        lines.append('vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} 0.0')
    load = read_load("\n".join(lines).encode())
    assert load is not None
    assert load.awake is awake


def test_the_newest_line_tells_the_adapters() -> None:
    lines = [
        'vllm:lora_requests_info{max_lora="2",running_lora_adapters="old",waiting_lora_adapters=""} 1.79e+09',
        'vllm:lora_requests_info{max_lora="2",running_lora_adapters="a,b",waiting_lora_adapters="c"} 1.795e+09',
        'vllm:lora_requests_info{max_lora="2",running_lora_adapters="",waiting_lora_adapters=""} 1.7e+09',
    ]
    load = read_load("\n".join(LOAD + lines).encode())
    assert load is not None
    assert load.adapters == Adapters(frozenset({"a", "b"}), frozenset({"c"}), 2)
    plain = read_load("\n".join(LOAD).encode())
    assert plain is not None
    assert plain.adapters is None
