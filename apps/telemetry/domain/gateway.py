"""What an endpoint picker's `/metrics` page says, under our names; all begin with `gateway.`.

Source of the names: llm-d's router (`llm_d_epp_*`) and, behind them, those of llm-d 0.5 and the gateway API inference
extension (`inference_objective_*`, `inference_extension_*`, `inference_pool_*`), which newer pickers still emit too. A
picker serves one pool: all its series are that pool's.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.telemetry.domain.pages import MAX_SERIES, PageTable, Where, read_page
from apps.telemetry.domain.readings import PageReading

__all__ = ["COUNTERS", "FAMILIES", "GAUGES", "OPEN_COUNTERS", "PREFIX", "TABLE", "read_gateway"]

PREFIX = "gateway."

_NOW = "llm_d_epp_"
_OBJECTIVE = "inference_objective_"
_EXTENSION = "inference_extension_"
_POOL = "inference_pool_"

COUNTERS: Mapping[str, tuple[Where, ...]] = {
    "gateway.requests": (Where(f"{_NOW}request_total"), Where(f"{_OBJECTIVE}request_total")),
    "gateway.errors": (Where(f"{_NOW}request_error_total"), Where(f"{_OBJECTIVE}request_error_total")),
    "gateway.poll_errors": (Where(f"{_NOW}datalayer_poll_errors_total"),),
}

OPEN_COUNTERS: Mapping[str, tuple[Where, ...]] = {
    "gateway.error": (
        Where(f"{_NOW}request_error_total", "error_code"),
        Where(f"{_OBJECTIVE}request_error_total", "error_code"),
    ),
    "gateway.outcome": (Where(f"{_NOW}flow_control_requests_total", "outcome"),),
    "gateway.slo_violations": (Where(f"{_NOW}request_slo_violation_total", "type"),),
    "gateway.attempts": (
        Where(f"{_NOW}scheduler_attempts_total", "status"),
        Where(f"{_EXTENSION}scheduler_attempts_total", "status"),
    ),
}

# seconds, and tokens for the lengths
FAMILIES: Mapping[str, tuple[str, ...]] = {
    "gateway.ttft": (f"{_NOW}request_ttft_seconds", f"{_OBJECTIVE}request_ttft_seconds"),
    "gateway.tpot": (f"{_NOW}request_streaming_tpot_seconds", f"{_OBJECTIVE}request_tpot_seconds"),
    "gateway.itl": (f"{_NOW}request_streaming_itl_seconds",),
    "gateway.e2e": (f"{_NOW}request_duration_seconds", f"{_OBJECTIVE}request_duration_seconds"),
    "gateway.hold": (
        f"{_NOW}flow_control_request_queue_duration_seconds",
        f"{_EXTENSION}flow_control_request_queue_duration_seconds",
    ),
    "gateway.input_length": (f"{_NOW}request_input_tokens", f"{_OBJECTIVE}input_tokens"),
    "gateway.output_length": (f"{_NOW}request_output_tokens", f"{_OBJECTIVE}output_tokens"),
    "gateway.cached_length": (f"{_NOW}request_cached_tokens", f"{_OBJECTIVE}prompt_cached_tokens"),
}

GAUGES: Mapping[str, tuple[Where, ...]] = {
    "gateway.running": (Where(f"{_NOW}request_running"), Where(f"{_OBJECTIVE}running_requests")),
    "gateway.queue": (
        Where(f"{_NOW}flow_control_queue_size"),
        Where(f"{_EXTENSION}flow_control_queue_size"),
    ),
    "gateway.queue_bytes": (
        Where(f"{_NOW}flow_control_queue_bytes"),
        Where(f"{_EXTENSION}flow_control_queue_bytes"),
    ),
    "gateway.saturation_max": (Where(f"{_NOW}flow_control_pool_saturation", how="max"),),
    "gateway.ready": (Where(f"{_NOW}ready_endpoints"), Where(f"{_POOL}ready_pods")),
    "gateway.awake": (Where("lamplight_epp_awake_endpoints"),),
    "gateway.queue_mean": (
        Where(f"{_NOW}average_queue_size", how="mean"),
        Where(f"{_POOL}average_queue_size", how="mean"),
    ),
    "gateway.kv_mean": (
        Where(f"{_NOW}average_kv_cache_utilization", how="mean"),
        Where(f"{_POOL}average_kv_cache_utilization", how="mean"),
    ),
}

TABLE = PageTable(counters=COUNTERS, open_counters=OPEN_COUNTERS, families=FAMILIES, gauges=GAUGES)


def read_gateway(page: str, *, max_series: int = MAX_SERIES) -> PageReading:
    """Parse a picker's page. Raises ExpositionError when it is not the text format or too large."""
    return read_page(page, TABLE, max_series=max_series).reading
