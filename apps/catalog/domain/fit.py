"""Does a model fit: weights, activations and KV cache against the memory of the accelerators of one replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from apps.catalog.domain.model import BYTES_PER_VALUE, Shape

GIB = 2**30
# what vLLM takes of an accelerator's memory where nobody says otherwise (0.32)
DEFAULT_UTILIZATION = 0.92
# CUDA context, NCCL buffers, captured graphs: what vLLM's own start-up profile leaves beside weights and cache
OVERHEAD_BYTES = int(2.5 * GIB)
# the widest layer's intermediate values of one token, in multiples of the hidden size (gate, up and down projections)
ACTIVATION_WIDTH = 16
# fewer full-length requests at once than this is a replica that serves one after another
FEW_REQUESTS = 4


@dataclass(frozen=True, slots=True)
class Asked:
    """What one replica is to be. `utilization`: the share of memory that the engine may take. `max_model_len`: tokens
    of the longest request, None where the model decides. `batched_tokens`: tokens of one step. `kv_element`: bytes of
    a value in the KV cache, None: the model's. `expert_parallel`: experts are spread over tensor x data ranks."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    utilization: float = DEFAULT_UTILIZATION
    max_model_len: int | None = None
    batched_tokens: int = 8192
    kv_element: int | None = None
    expert_parallel: bool = False


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer. `verdict`: fits, tight (it starts, and serves few requests at once), no, unknown.

    Bytes are of one accelerator. `kv_tokens`: tokens that the KV cache of one data-parallel rank holds; `requests`:
    how many of the longest requests it holds at once. `reason`, `mend`: sentences, empty where there is nothing to say.
    """

    verdict: Literal["fits", "tight", "no", "unknown"]
    memory: int
    weights: int | None = None
    activations: int | None = None
    overhead: int = OVERHEAD_BYTES
    kv_cache: int | None = None
    kv_tokens: int | None = None
    requests: float | None = None
    reason: str = ""
    mend: str = ""


def fit(shape: Shape | None, memory: int, asked: Asked) -> Fit:
    """Whether a replica fits into accelerators of `memory` bytes each.

    Weights are parameters x bytes of dtype over tensor x pipeline ranks; KV bytes of a token are those of the model,
    with heads repeated where tensor parallelism has more ranks than the model has KV heads (vLLM's rule).
    """
    heads = _heads(shape, asked)
    if heads is not None:
        return Fit("no", memory, reason=heads[0], mend=heads[1])
    if memory == 0:
        return Fit("unknown", memory, reason="a CPU has no memory of its own: set VLLM_CPU_KVCACHE_SPACE")
    if shape is None or shape.parameters is None:
        what = "the model's shape is" if shape is None else "the number of the model's parameters is"
        return Fit("unknown", memory, reason=f"{what} not declared", mend="declare spec.shape of the Model")
    element = BYTES_PER_VALUE[shape.dtype]
    ranks = asked.tensor * asked.pipeline * (asked.data if asked.expert_parallel and shape.experts else 1)
    weights = shape.parameters * element // ranks
    # each rank holds the intermediate values of its part of a layer
    hidden = (shape.heads or shape.kv_heads * 4) * shape.head_dim
    activations = asked.batched_tokens * hidden * element * ACTIVATION_WIDTH // asked.tensor
    usable = int(memory * asked.utilization)
    cache = usable - weights - activations - OVERHEAD_BYTES
    held: dict[str, Any] = {"memory": memory, "weights": weights, "activations": activations}
    if cache <= 0:
        need = -(-shape.parameters * element // max(1, usable - activations - OVERHEAD_BYTES))
        return Fit(
            "no",
            kv_cache=0,
            reason=f"weights take {_gib(weights)} of each accelerator, activations {_gib(activations)} and the engine "
            f"itself {_gib(OVERHEAD_BYTES)}: more than the {_gib(usable)} that it may use, and no KV cache is left",
            mend=f"spread the model over at least {max(need, ranks * 2)} accelerators, or take larger ones, or a "
            "smaller dtype",
            **held,
        )
    kv_heads = max(1, shape.kv_heads // asked.tensor)
    per_token = 2 * shape.layers * kv_heads * shape.head_dim * (asked.kv_element or element) // asked.pipeline
    tokens = cache // max(1, per_token)
    requests = tokens / asked.max_model_len if asked.max_model_len else None
    held |= {"kv_cache": cache, "kv_tokens": tokens, "requests": requests}
    if requests is not None and requests < 1:
        return Fit(
            "no",
            reason=f"the KV cache holds {tokens:,} tokens, fewer than one request of {asked.max_model_len:,}",
            mend=f"lower --max-model-len to at most {tokens}, or spread the model over more accelerators",
            **held,
        )
    if requests is not None and requests < FEW_REQUESTS:
        return Fit(
            "tight",
            reason=f"the KV cache holds {tokens:,} tokens: {requests:.1f} requests of {asked.max_model_len:,} at once",
            mend="spread the model over more accelerators, lower --max-model-len, or set --kv-cache-dtype=fp8",
            **held,
        )
    return Fit("fits", **held)


def _heads(shape: Shape | None, asked: Asked) -> tuple[str, str] | None:
    if shape is None:
        return None
    if shape.heads and shape.heads % asked.tensor:
        return (
            f"the model's {shape.heads} attention heads cannot be split over {asked.tensor} accelerators",
            f"use a tensor parallelism that divides {shape.heads}",
        )
    if asked.tensor % shape.kv_heads and shape.kv_heads % asked.tensor:
        return (
            f"the model's {shape.kv_heads} KV heads cannot be split over {asked.tensor} accelerators",
            f"use a tensor parallelism that divides {shape.kv_heads} or is a multiple of it",
        )
    if asked.pipeline > shape.layers:
        return (
            f"the model has {shape.layers} layers, too few for {asked.pipeline} pipeline stages",
            f"use at most {shape.layers} stages",
        )
    return None


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
