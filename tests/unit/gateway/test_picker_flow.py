"""Reading flow control from an EndpointPickerConfig."""

from __future__ import annotations

import pytest

from apps.embedded.gateway.domain.config import ConfigError, read_config
from apps.embedded.gateway.domain.flow import FlowControl, go_duration, saturation
from apps.embedded.gateway.domain.pages import read_load


def document(**sections: object) -> dict[str, object]:
    return {"kind": "EndpointPickerConfig", "featureGates": ["flowControl"], **sections}


def test_without_the_gate_nothing_is_held() -> None:
    assert read_config({"kind": "EndpointPickerConfig", "flowControl": {"maxRequests": 5}}).flow is None


def test_bounds_and_times_are_read() -> None:
    section = {"maxRequests": "1k", "maxBytes": "10Gi", "defaultRequestTTL": "1m30s", "noEndpointRequestTTL": "10m",
               "saturationDetector": {"pluginRef": "load"}}  # fmt: skip
    detector = {"type": "concurrency-detector", "name": "load", "parameters": {"maxConcurrency": 132}}
    assert read_config(document(flowControl=section, plugins=[detector])).flow == FlowControl(
        1000, 10 * 2**30, 90.0, 600.0, 132
    )
    assert read_config(document()).flow == FlowControl()
    assert read_config(document(flowControl={"defaultRequestTTL": "5s"})).flow == FlowControl(
        request_ttl=5.0, no_endpoint_ttl=5.0
    )


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"maxRequests": 0}, "flowControl.maxRequests must be at least 1"),
        ({"maxBytes": "lots"}, "flowControl.maxBytes: 'lots' is not a quantity"),
        ({"defaultRequestTTL": 60}, "flowControl.defaultRequestTTL: 60 is not a duration"),
        ({"noEndpointRequestTTL": "0s"}, "must be longer than nothing"),
        ({"priorityBands": []}, "flowControl.priorityBands is not supported here"),
        ({"saturationDetector": {"pluginRef": "queue-scorer"}}, "no plugin of a detector is named 'queue-scorer'"),
    ],
)
def test_what_cannot_be_used_is_said(section: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence.replace("(", r"\(")):
        read_config(document(flowControl=section))


def test_durations_are_gos() -> None:
    assert [go_duration(text) for text in ("500ms", "60s", "1m30s", "1.5h")] == [0.5, 60, 90, 5400]
    for text in ("", "60", "1 m", "-5s", None):
        with pytest.raises(ValueError, match="is not a duration"):
            go_duration(text)


def test_what_is_not_known_counts_as_full() -> None:
    assert saturation([]) == 1.0
    assert saturation([(0, 0.0), (10, 0.4)]) == 1.0
    assert saturation([(0, 0.4)]) == pytest.approx(0.5)


@pytest.mark.parametrize(("state", "awake"), [("1.0", True), ("0.0", False), (None, True)])
def test_a_page_tells_who_sleeps(state: str | None, awake: bool) -> None:
    labels = '{engine="0",model_name="m"}'
    lines = [f"vllm:num_requests_{name}{labels} 0.0" for name in ("waiting", "running")]
    lines.append(f"vllm:kv_cache_usage_perc{labels} 0.0")
    if state is not None:
        lines.append(f'vllm:engine_sleep_state{{engine="0",model_name="m",sleep_state="awake"}} {state}')
        lines.append('vllm:engine_sleep_state{engine="0",model_name="m",sleep_state="discard_all"} 0.0')
    load = read_load("\n".join(lines).encode())
    assert load is not None
    assert load.awake is awake
