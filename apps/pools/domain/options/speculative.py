"""Speculative decoding: several tokens are guessed, and the model checks them in one step."""

from __future__ import annotations

import json
from typing import Any

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.options.option import Option
from apps.pools.domain.parts import EngineParts
from apps.pools.domain.spec import Variant

_METHODS = {"draft": "draft_model"}


def _parts(context: Context, variant: Variant) -> EngineParts:
    chosen = context.spec.speculative
    # a replica that only prefills generates one token
    if chosen is None or variant.role == "prefill":
        return EngineParts()
    config: dict[str, Any] = {"method": _METHODS.get(chosen.method, chosen.method)}
    config["num_speculative_tokens"] = chosen.tokens
    if chosen.model is not None:
        config["model"] = chosen.model.removeprefix("hf://")
    if chosen.method == "ngram":
        config |= {"prompt_lookup_min": chosen.lookup_min, "prompt_lookup_max": chosen.lookup_max}
    return EngineParts(args=(f"--speculative-config={json.dumps(config, separators=(',', ':'))}",))


def _pipeline(q: Question) -> str | None:
    for variant in q.spec.variants if q.spec.speculative is not None else ():
        if variant.parallelism.pipeline > 1:
            return (
                f"variant {variant.name} has {variant.parallelism.pipeline} pipeline stages, over which vLLM does not "
                "guess tokens: set parallelism.pipeline to 1, or leave speculative out"
            )
    return None


def _twice(q: Question) -> str | None:
    if q.spec.speculative is None:
        return None
    for flag in ("--speculative-config", "-sc", "--spec-method", "--spec-model", "--spec-tokens"):
        if q.argument(flag) is not None:
            return f"{flag} is rendered from speculative: leave it out of engine.args, or leave speculative out"
    return None


OPTION = Option(
    name="speculative",
    title="Speculative decoding",
    about="Tokens are guessed (from the prompt, by a draft model, by the model's own layers) and checked together.",
    on=lambda spec: spec.speculative is not None,
    invariants=(
        Invariant("SpeculationOverStages", "Replicas that guess have one pipeline stage.", _pipeline),
        Invariant("SpeculationTwice", "Speculation is declared once.", _twice, "/spec/engine/args"),
    ),
    parts=_parts,
)
