"""What a run of a size plays: which scenarios, how many seeds, how finely knobs are swept, and the bound or not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.autoscaling.policies import OURS, POLICIES

__all__ = ["SIZES", "Part", "Size"]

Size = Literal["quick", "whole", "full"]
Sweep = Literal["fine", "coarse"]


@dataclass(frozen=True)
class Part:
    """One scenario. policies: names, () for all. search: plays of foresight's local search, 0: no bound."""

    scenario: str
    seeds: int = 1
    sweep: Sweep = "coarse"
    policies: tuple[str, ...] = ()
    search: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        return self.policies or tuple(POLICIES)


_ALONE = (OURS,)
# the peers that came nearest wherever all were played: enough where the claim is about static fleets or faults
_NEAREST = (OURS, "hpa-running", "hpa-kv", "aibrix-apa", "ray-serve", "wva-v2")
_CLOSEST = (OURS, "hpa-kv", "wva-v2")
_FAULTS = ("fault-gap", "fault-stuck", "fault-slow", "fault-quota")

SIZES: Mapping[Size, tuple[Part, ...]] = {
    # about five minutes on two cores: every peer on an hour that swings, with an interval; elsewhere where ours stands
    "quick": (
        Part("hour", seeds=3, search=1),
        Part("waves", policies=_CLOSEST),
        Part("switching", policies=_CLOSEST),
        Part("quiet", policies=_ALONE),
        Part("step", policies=_CLOSEST),
        Part("fault-gap", policies=_ALONE),
        Part("zero", policies=_ALONE),
    ),
    # every claim, five seeds where an interval is claimed
    "whole": (
        Part("swing", seeds=5, search=4),
        Part("ramp", seeds=5, search=4),
        Part("waves", seeds=5, policies=_NEAREST, search=4),
        Part("reasoning", seeds=5, policies=_NEAREST, search=4),
        Part("quiet", seeds=5, policies=_ALONE),
        Part("conv", seeds=5, policies=_ALONE),
        Part("step", seeds=3),
        Part("mix", seeds=3),
        Part("square", policies=_NEAREST),
        Part("switching", seeds=5, policies=_NEAREST, search=4),
        Part("spike", seeds=3, policies=_NEAREST),
        Part("unseen", seeds=5, policies=_CLOSEST, search=1),
        Part("unseen-flat", seeds=5, policies=_ALONE),
        Part("code", seeds=3, policies=(OURS, "wva-v2", "knative", "ray-serve")),
        Part("zero", seeds=3, policies=(OURS, "wva-v2", "knative", "ray-serve")),
        Part("variants", seeds=3, policies=_ALONE),
        *(Part(name, policies=_NEAREST) for name in _FAULTS),
    ),
    # hours: every policy at every value on everything, a day and shared prefixes included
    "full": tuple(
        Part(name, seeds=5, sweep="fine", search=16)
        for name in (
            *("swing", "hour", "quiet", "conv", "code", "mooncake", "day", "reasoning", "step", "spike"),
            *("ramp", "waves", "switching", "unseen", "unseen-flat"),
            *("square", "zero", "mix", "variants", *_FAULTS),
        )
    ),
}
