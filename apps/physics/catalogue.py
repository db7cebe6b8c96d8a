"""Step times by model and accelerator: measured, from kernel tables, or carried over from the nearest pair known."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.physics.data import read
from apps.physics.frontend import FrontendModel
from apps.physics.steptime import StepTimeModel

Origin = Literal["measured", "tables", "scaled"]

# Parameter counts of one shape differ by how embeddings are counted, never by this much.
SAME_SIZE = 0.05


@dataclass(frozen=True, slots=True)
class ModelSize:
    """What step times depend on.

    parameters: used per token (the active ones of a mixture of experts). layers: count.
    weight_bytes: all weights. kv_bytes_per_token: all layers, keys and values.
    """

    parameters: float
    layers: int
    weight_bytes: float
    kv_bytes_per_token: float

    @property
    def attention_work(self) -> float:
        """Proportional to the work of one attention pair: layers times hidden width, the width of a dense model of
        this many parameters and layers (12 width^2 a layer)."""
        return math.sqrt(self.parameters * self.layers / 12)


@dataclass(frozen=True, slots=True)
class Timing:
    """A step-time model and where it comes from; `basis` names the pair that it was taken or scaled from."""

    step_time: StepTimeModel
    origin: Origin
    basis: str


@dataclass(frozen=True, slots=True)
class _Row:
    model: str
    size: ModelSize
    accelerator: str
    tensor_parallel: int
    origin: Origin
    step_time: StepTimeModel

    @property
    def name(self) -> str:
        return f"{self.model} on {self.tensor_parallel} x {self.accelerator}"


def accelerators() -> tuple[str, ...]:
    """Accelerators that step times can be told for."""
    return tuple(sorted(read("accelerators.json")["accelerators"]))


def frontend() -> FrontendModel:
    """The host side of vLLM as measured; it does not depend on the accelerator."""
    values = read("step-times.json")["frontend"]
    return FrontendModel(
        latency=values["latency"] * 1e-3,
        request=values["request"] * 1e-3,
        prompt_token=values["prompt_token"] * 1e-6,
        token=values["token"] * 1e-6,
    )


def step_time_for(size: ModelSize, accelerator: str, tensor_parallel: int = 1) -> Timing:
    """The step times of a model on `tensor_parallel` accelerators of a kind.

    A known pair is taken as it is. Any other is scaled from the nearest known pair (the same accelerator and degree
    before others, then the nearest share of parameters per accelerator): reading weights and KV by bytes over memory
    bandwidth, computing and attention by work over bf16 throughput. Across the known pairs this is good to about a
    factor of 1.5. Raises ValueError for an accelerator that is not in the data.
    """
    known = read("accelerators.json")["accelerators"]
    if accelerator not in known:
        raise ValueError(f"no step times for accelerator {accelerator!r}; known are {', '.join(accelerators())}")
    if tensor_parallel < 1:
        raise ValueError(f"tensor_parallel is {tensor_parallel}; it must be at least 1")
    for row in _rows():
        if (row.accelerator, row.tensor_parallel) == (accelerator, tensor_parallel) and _same(row.size, size):
            return Timing(row.step_time, row.origin, row.name)
    return scaled(_nearest(size, accelerator, tensor_parallel, _rows()), size, accelerator, tensor_parallel)


def scaled(row: _Row, size: ModelSize, accelerator: str, tensor_parallel: int) -> Timing:
    """The times of `row` carried over to another pair. No step is shorter than the accelerator's shortest."""
    known = read("accelerators.json")["accelerators"]
    bandwidth = known[row.accelerator]["bandwidth"] / known[accelerator]["bandwidth"]
    throughput = known[row.accelerator]["bf16"] / known[accelerator]["bf16"]
    share = row.tensor_parallel / tensor_parallel
    weights = size.weight_bytes / row.size.weight_bytes * share * bandwidth
    work = size.parameters / row.size.parameters * share * throughput
    attention = size.attention_work / row.size.attention_work * share * throughput
    reading = size.kv_bytes_per_token / row.size.kv_bytes_per_token * share * bandwidth
    base = row.step_time
    model = StepTimeModel(
        read=max(base.read * weights, known[accelerator].get("step", 0.0)),
        read_token=base.read_token * work,
        compute=base.compute * work,
        compute_token=base.compute_token * work,
        attention_pair=base.attention_pair * attention,
        kv_token=base.kv_token * reading,
        prefill_request=base.prefill_request,
        mixed=base.mixed,
        mixed_step=base.mixed_step,
        decode_pair=base.decode_pair,
    )
    return Timing(model, "scaled", row.name)


def _same(one: ModelSize, other: ModelSize) -> bool:
    return (
        abs(one.parameters / other.parameters - 1) < SAME_SIZE
        and abs(one.weight_bytes / other.weight_bytes - 1) < SAME_SIZE
        and one.layers == other.layers
        and one.kv_bytes_per_token == other.kv_bytes_per_token
    )


def _nearest(size: ModelSize, accelerator: str, tensor_parallel: int, rows: tuple[_Row, ...]) -> _Row:
    share = size.parameters / tensor_parallel

    def distance(row: _Row) -> tuple[bool, bool, float]:
        off = abs(math.log(row.size.parameters / row.tensor_parallel / share))
        return row.accelerator != accelerator, row.tensor_parallel != tensor_parallel, off

    return min(rows, key=distance)


@functools.cache
def _rows() -> tuple[_Row, ...]:
    rows = read("step-times.json")["rows"]
    measured = next(row for row in rows if row["origin"] == "measured")
    return tuple(_row(row, measured) for row in rows)


def _row(row: Mapping[str, Any], measured: Mapping[str, Any]) -> _Row:
    size = ModelSize(row["parameters"], row["layers"], 2 * row["parameters"], row["kv_bytes_per_token"])
    # Kernel tables know nothing of an engine's costs per request and in mixed steps: these are the measured ones.
    step_time = StepTimeModel(
        read=row["read"] * 1e-3,
        read_token=row["read_token"] * 1e-6,
        compute=row["compute"] * 1e-3,
        compute_token=row["compute_token"] * 1e-6,
        attention_pair=row["attention_pair"] * 1e-9,
        kv_token=row["kv_token"] * 1e-9,
        prefill_request=row.get("prefill_request", measured["prefill_request"]) * 1e-3,
        mixed=row.get("mixed", measured["mixed"]),
        mixed_step=row.get("mixed_step", measured["mixed_step"]) * 1e-3,
        decode_pair=row.get("decode_pair", measured["decode_pair"]) * 1e-9,
    )
    return _Row(row["model"], size, row["accelerator"], row["tensor_parallel"], row["origin"], step_time)
