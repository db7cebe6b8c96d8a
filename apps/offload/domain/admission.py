"""Which classes of blocks are worth a place in a tier: adapters, tenants, and how deep in a prompt they lie.

It ends in advice, since nobody who declares a pool can have it enforced: vLLM 0.32 and 0.33 admit by whole chunks
(which is how a shortest prefix is rendered), by prompt or generated (`offload_prompt_only`), and, where host memory
is the only tier, by how often a block was looked for (`store_threshold`; TieringOffloadingSpec refuses it). They have
no rule by adapter, tenant or depth. What a request says of itself they heed: `kv_transfer_params.max_offload_tokens`
caps how many of its leading tokens are stored, 0 for none (experimental; the connector's scheduler has it from 0.25
on).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.offload.domain.sketch import Sketch

__all__ = ["DEPTHS", "ClassUse", "advice", "depth_of", "uses_of"]

# tokens before a block in its prompt: first turns and system prompts, later turns, long conversations and documents
DEPTHS = ((2048, "depth:0-2k"), (8192, "depth:2k-8k"), (32_768, "depth:8k-32k"))
_DEEPEST = "depth:32k-"
# a class that stores this share of all, of which less than that comes again, pushes out what would
_LEAST_STORED, _LEAST_AGAIN = 0.1, 0.02
_MOST = 3


@dataclass(frozen=True, slots=True)
class ClassUse:
    """Tokens that devices stored of a class, and that were stored again after they had let go of them."""

    stored: float
    again: float


def depth_of(tokens: float) -> str:
    """The class of blocks that follow so many tokens of their prompt."""
    return next((name for end, name in DEPTHS if tokens < end), _DEEPEST)


def uses_of(sketches: Mapping[str, Sketch]) -> dict[str, ClassUse]:
    """By class, of the sketches of the pool ("" stands for all and is left out)."""
    return {
        name: ClassUse(sketch.stored, min(sketch.total_again, sketch.stored))
        for name, sketch in sketches.items()
        if name
    }


def advice(classes: Mapping[str, ClassUse], stored: float) -> tuple[str, ...]:
    """Of classes that fill tiers and do not come back, for people to act on."""
    found = []
    for name, use in sorted(classes.items(), key=lambda item: -item[1].stored):
        if stored > 0 and use.stored >= _LEAST_STORED * stored and use.again < _LEAST_AGAIN * use.stored:
            share, again = 100 * use.stored / stored, 100 * use.again / use.stored
            found.append(
                f"{share:.0f} % of what is stored is {name}, and {again:.1f} % of that is wanted again: vLLM admits "
                "all classes alike unless a request says otherwise (kv_transfer_params.max_offload_tokens: 0), so such "
                "requests, or a pool of their own without tiers, would leave the room to others."
            )
    return tuple(found[:_MOST])
