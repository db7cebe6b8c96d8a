"""The bucket bounds of the engine's histograms: its own, or those of `--custom-histogram-buckets`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from apps.catalog.domain.vllm import Metric

FAMILIES = frozenset(
    {
        "request_latency", "time_to_first_token", "inter_token_latency", "iteration_tokens",
        "request_params_n", "request_num_preemptions", "request_tokens", "kv_cache_residency",
    }
)  # fmt: skip


def one_two_five(most: int) -> tuple[float, ...]:
    """1, 2, 5, 10, 20, 50 ... up to `most`."""
    bounds: list[float] = []
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power > most:
                return tuple(bounds)
            bounds.append(float(digit * power))
        power *= 10


def bounds(metric: Metric, max_model_len: int, custom: Mapping[str, Sequence[float]]) -> tuple[float, ...]:
    """Upper bounds of `metric` without +Inf, for an engine of that context length."""
    if metric.bucket_family is not None and metric.bucket_family in custom:
        return tuple(float(bound) for bound in custom[metric.bucket_family])
    return one_two_five(max_model_len) if metric.bucket_family == "request_tokens" else metric.buckets


def checked(custom: object) -> Mapping[str, Sequence[float]]:
    """The value of `--custom-histogram-buckets`. Raises ValueError for an unknown family or bad bounds."""
    if not isinstance(custom, Mapping):
        raise ValueError("custom_histogram_buckets must be a mapping from a bucket family to a list of bounds")
    for family, values in custom.items():
        if family not in FAMILIES:
            raise ValueError(
                f"custom_histogram_buckets: unknown family {family!r}; the families are {', '.join(sorted(FAMILIES))}"
            )
        if not isinstance(values, list) or not values or not all(_is_bound(value) for value in values):
            raise ValueError(f"custom_histogram_buckets: {family} must list positive finite numbers")
        if any(later <= earlier for earlier, later in pairwise(values)):
            raise ValueError(f"custom_histogram_buckets: the bounds of {family} must strictly increase")
    return custom


def _is_bound(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value > 0
