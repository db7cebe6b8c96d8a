"""Handing KV over from the engine that computed a prompt to the one that decodes (`kv_transfer_params` of NIXL).

The prefill answers which of its blocks hold the prompt; the decode pulls them, which takes the time that the physics
says. Blocks are named by their number only: the simulated engines have no memory to read from one another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["NIXL", "handed_over", "pulled_tokens"]

NIXL = frozenset({"NixlConnector", "NixlPullConnector", "NixlPushConnector"})


def handed_over(
    asked: Mapping[str, Any], *, prompt_tokens: int, block_size: int, engine: str, host: str, port: int
) -> dict[str, Any] | None:
    """What an engine answers that was asked to keep a prompt's blocks for a remote decode; None where it was not."""
    if not asked.get("do_remote_decode"):
        return None
    return {
        "do_remote_prefill": True,
        "do_remote_decode": False,
        "remote_block_ids": list(range(1, prompt_tokens // block_size + 1)),
        "remote_engine_id": engine,
        "remote_host": host,
        "remote_port": port,
        "tp_size": 1,
    }


def pulled_tokens(asked: Mapping[str, Any], *, prompt_tokens: int, block_size: int) -> int:
    """Prompt tokens that another engine computed and this one is to pull; 0 where it is to compute them itself."""
    blocks = asked.get("remote_block_ids")
    if not asked.get("do_remote_prefill") or not isinstance(blocks, list):
        return 0
    return min(len(blocks), prompt_tokens // block_size) * block_size
