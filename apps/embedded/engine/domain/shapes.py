"""What is known of a model and an accelerator: enough to count KV blocks and to pick step times."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

GIB = 2**30
# what a vLLM process keeps of a device besides weights and KV cache (activations of a full batch, CUDA graphs, NCCL);
# it leaves a Llama-3.1-8B on one H200 the 57,489 blocks that a real vLLM 0.25.1 had there
OVERHEAD_BYTES = int(1.929 * GIB)


@dataclass(frozen=True, slots=True)
class ModelShape:
    """`parameters`: count; `max_context`: tokens that the model was made for."""

    name: str
    parameters: float
    layers: int
    kv_heads: int
    head_dim: int
    max_context: int

    def kv_bytes_per_token(self, element_bytes: int = 2) -> int:
        return 2 * self.layers * self.kv_heads * self.head_dim * element_bytes

    def weight_bytes(self, element_bytes: float = 2) -> int:
        return int(self.parameters * element_bytes)


def known_shape(model: str) -> ModelShape:
    """The shape of a model by its name: its own row, the row that its name begins with (`-Instruct`, `-FP8`), else a
    Llama-like shape of the size that the name tells (`...-13b...`), else that of an 8B model."""
    rows = _rows()
    wanted = model.lower()
    begins = [row for row in rows if wanted.startswith(row.name.lower())]
    if begins:
        return max(begins, key=lambda row: len(row.name))
    sized = re.search(r"(?<![\d.])(\d+(?:\.\d+)?)b(?![a-z0-9])", wanted)
    billions = float(sized[1]) if sized else 8.0
    nearest = min(rows, key=lambda row: abs(row.parameters - billions * 1e9))
    return ModelShape(
        model, billions * 1e9, nearest.layers, nearest.kv_heads, nearest.head_dim, max_context=nearest.max_context
    )


def shape_from_config(name: str, config: Mapping[str, Any]) -> ModelShape:
    """The shape that a config.json of the Llama family of layouts describes. Raises ValueError naming what lacks."""
    try:
        layers, hidden = int(config["num_hidden_layers"]), int(config["hidden_size"])
        heads = int(config["num_attention_heads"])
        vocabulary, inner = int(config["vocab_size"]), int(config["intermediate_size"])
    except KeyError as missing:
        raise ValueError(f"config.json of {name} has no {missing}") from missing
    head_dim = int(config.get("head_dim") or hidden // heads)
    kv_heads = int(config.get("num_key_value_heads") or heads)
    experts = int(config.get("num_local_experts") or config.get("num_experts") or 1)
    inner = int(config.get("moe_intermediate_size") or inner)
    attention = hidden * head_dim * (2 * heads + 2 * kv_heads)
    embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
    parameters = layers * (attention + experts * 3 * hidden * inner) + embeddings
    context = int(config.get("max_position_embeddings") or 4096)
    return ModelShape(name, float(parameters), layers, kv_heads, head_dim, context)


def accelerator_names() -> tuple[str, ...]:
    """The accelerators of the catalogue."""
    return tuple(_data("apps.catalog", "accelerators.json")["accelerators"])


def memory_bytes(accelerator: str) -> int:
    """Device memory of one `accelerator` (nvidia-h200, ...), from the catalogue; 0 for plain CPU, which has none of
    its own. Raises ValueError for one that the catalogue does not have."""
    table = _data("apps.catalog", "accelerators.json")["accelerators"]
    if accelerator not in table:
        raise ValueError(f"unknown accelerator {accelerator!r}; known are {', '.join(sorted(table))}")
    size = re.fullmatch(r"(\d+)(Mi|Gi|B)", str(table[accelerator]["memory"]))
    assert size is not None, f"memory of {accelerator}"
    return int(size[1]) * {"Mi": 2**20, "Gi": GIB, "B": 1}[size[2]]


@functools.cache
def _rows() -> tuple[ModelShape, ...]:
    return tuple(ModelShape(**row) for row in _data("apps.embedded.engine", "models.json")["models"])


@functools.cache
def _data(package: str, name: str) -> dict[str, Any]:
    return json.loads(resources.files(package).joinpath("data", name).read_text(encoding="utf-8"))
