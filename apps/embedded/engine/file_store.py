"""The folder of an `fs` tier: one file a chunk, laid out as vLLM does, for all replicas that share it.

A file has the size of the chunk and no contents (it is sparse): what engines find there, and what whoever watches over
the volume counts, is as it would be, and the disk stays empty. A file of another size cannot be read, as in vLLM.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class FileStore:
    """Chunks under `<root>/<model>_<12 digits>_r0/<3 digits>/<2 digits>_g0/<64 digits>.bin`.

    The digits in the folder's name are of a digest over `layout`, which tells engines apart whose chunks do not fit
    each other: the model's name, data type, block sizes. The last 16 digits of a file's name are the chunk's key.
    Raises OSError when the folder cannot be made.
    """

    def __init__(self, root: str, layout: Mapping[str, Any]) -> None:
        text = json.dumps(layout, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:12]
        name = str(layout["model_name"]).replace("/", "_")
        self._base = Path(root) / f"{name}_{digest}"
        self._chunks = Path(f"{self._base}_r0")
        self._base.mkdir(parents=True, exist_ok=True)
        settings = self._base / "config.json"
        if not settings.exists():
            settings.write_text(json.dumps(layout, indent=2, sort_keys=True))

    def holds(self, key: int) -> bool:
        return os.path.exists(self._path(key))

    def read(self, key: int, size: int) -> bool:
        path = self._path(key)
        try:
            found = os.stat(path).st_size
            if found < size:
                # as vLLM does with a file that ends too early
                os.unlink(path)
            return found == size
        except OSError:
            return False

    def write(self, key: int, size: int) -> bool:
        path = self._path(key)
        if os.path.exists(path):
            return True
        unfinished = f"{path}_{secrets.randbits(63)}.tmp"
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(unfinished, "wb") as file:
                file.truncate(size)
            os.replace(unfinished, path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(unfinished)
            return False
        return True

    def _path(self, key: int) -> str:
        name = hashlib.sha256(key.to_bytes(8, "big")).hexdigest()[:48] + f"{key:016x}"
        return f"{self._chunks}/{name[:3]}/{name[3:5]}_g0/{name}.bin"


def layout_of(model: str, dtype: str, block_size: int, chunk_blocks: int, layers: int) -> dict[str, Any]:
    """What vLLM's file mapper tells engines apart by; tensor parallelism does not count for full attention."""
    return {
        "model_name": model,
        "tokens_per_hash": block_size,
        "blocks_per_file": chunk_blocks,
        "tp_size": 1,
        "pp_size": 1,
        "pcp_size": 1,
        "dcp_size": 1,
        "dtype": dtype,
        "kv_cache_groups": [
            {
                "tokens_per_block": block_size,
                "layer_names": [f"model.layers.{layer}.self_attn.attn" for layer in range(layers)],
            }
        ],
        "inference_engine": "vllm",
    }
