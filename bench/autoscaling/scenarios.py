"""The workloads that policies are compared on: autoscaling.md's scenarios, each a seeded trace for a declared fleet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.random import Generator

from apps.physics import EngineConfig, StepTimeModel
from apps.physics.catalogue import ModelSize, step_time_for
from apps.physics.fleet.fleet import Faults, FleetVariant, StartUp
from apps.physics.fleet.router import Routing
from apps.physics.fleet.types import Arrival
from bench.autoscaling import traces, unseen
from bench.common import shared

LLAMA_8B = ModelSize(8.03e9, 32, 2 * 8.03e9, 131072)
SEATS = 256
# KV blocks of 16 tokens that an accelerator keeps beside the weights, and its price (USD/h, list prices of 2026)
KV_BLOCKS = {"nvidia-l40s": 12_500, "nvidia-h100": 23_000, "nvidia-h200": 57_488}
PRICES = {"nvidia-l40s": 0.9, "nvidia-h100": 2.5, "nvidia-h200": 3.2}


def variant(accelerator: str = "nvidia-l40s", startup: float = 90.0, name: str = "") -> FleetVariant:
    """Llama-3.1-8B on one accelerator."""
    return FleetVariant(
        name or accelerator.removeprefix("nvidia-"),
        EngineConfig(num_blocks=KV_BLOCKS[accelerator], max_num_seqs=SEATS, max_model_len=131_072),
        step_time(accelerator),
        StartUp(startup, startup),
        price=PRICES[accelerator],
    )


def step_time(accelerator: str) -> StepTimeModel:
    return step_time_for(LLAMA_8B, accelerator).step_time


@dataclass(frozen=True)
class Scenario:
    """trace: from a seeded generator. ttft, tpot: seconds; initial: replicas at t = 0; most: bound of each variant;
    statics: the sweep of fixed fleets. zero: nothing need be kept. flat: static is nearly optimal."""

    name: str
    title: str
    trace: Callable[[Generator], list[Arrival]]
    variants: tuple[FleetVariant, ...] = ()
    ttft: float = 2.0
    tpot: float = 0.06
    initial: int = 3
    most: int = 12
    statics: tuple[int, ...] = (2, 3, 4, 5, 6, 8)
    seconds: float = 3600.0
    routing: Routing = "least-loaded"
    exact: bool = False
    zero: bool = False
    flat: bool = False
    swing: bool = False
    faults: Faults | None = None

    def arrivals(self, seed: int) -> list[Arrival]:
        return self.trace(np.random.default_rng(seed))


@cache
def _conv() -> list[Arrival]:
    return traces.azure("conv")


@cache
def _chat() -> list[tuple[int, int]]:
    return traces.lengths_of(_conv())


def _servegen(name: str, start: float, hours: float, rate: float) -> Callable[[Generator], list[Arrival]]:
    return lambda chance: traces.servegen_slice(
        name, start=start, hours=hours, mean_rate=rate, lengths=_chat(), chance=chance
    )


def _curve(rate: Callable[[float], float], seconds: float, cv: float = 1.0) -> Callable[[Generator], list[Arrival]]:
    grid = np.arange(0.0, seconds, 5.0)
    values = np.array([rate(float(at)) for at in grid])
    return lambda chance: traces.renewal(grid, values, np.full(len(grid), cv), seconds, _chat(), chance)


def _compressed_day(chance: Generator) -> list[Arrival]:
    """A day of a reasoning model's rates in three hours, its long outputs kept within what a run can hold."""
    at, rate, cv = traces.rates("reason_deepseek-r1")
    grid = np.arange(0.0, 10_800.0, 10.0)
    curve = np.interp(grid * 8, at, rate)
    prompt = chance.lognormal(math.log(1377) - 0.32, 0.8, 4000).astype(int)
    output = chance.lognormal(math.log(1502) - 0.245, 0.7, 4000).astype(int)
    lengths = list(zip(np.clip(prompt, 16, 8000).tolist(), np.clip(output, 16, 6000).tolist(), strict=True))
    scale = 0.75 / curve.mean()
    return traces.renewal(grid, curve * scale, np.clip(np.interp(grid * 8, at, cv), 0.8, 4), 10_800.0, lengths, chance)


def _mix_shift(chance: Generator) -> list[Arrival]:
    """Prompts three times as long from half an hour on, at a constant request rate."""
    base = _curve(lambda _at: 5.0, 3600.0)(chance)
    return [replace(each, prompt_tokens=each.prompt_tokens * (3 if each.time > 1800 else 1)) for each in base]


def _jittered(trace: Callable[[], list[Arrival]], copies: int, span: float) -> Callable[[Generator], list[Arrival]]:
    return lambda chance: traces.overlaid(trace(), copies, span, chance)


def _step(at: float) -> float:
    return 2.5 if at < 1200 or at >= 2700 else 10.0


def _spike(at: float) -> float:
    return 20.0 if 1500 <= at < 1560 else 2.5


def _ramp(at: float) -> float:
    return 2.0 + 8.0 * min(max((at - 600) / 1200, 0.0), 1.0) * (1.0 if at < 2700 else 0.4)


def _waves(at: float) -> float:
    return 5.5 + 3.5 * math.sin(at / 1200 * 2 * math.pi)


def _square(at: float) -> float:
    return 8.0 if int(at // 600) % 2 else 3.0


def _burst_from_nothing(at: float) -> float:
    return 6.0 if 900 <= at < 1500 or 2700 <= at < 2900 else 0.0


SWING = 1_017_000.0
FIRST_SEED = 3
"""Of the draws that are reported. Rules and constants of decide() were found on others."""
IN_SAMPLE = (
    "Rules and constants of decide() were found on other draws than these: seeds 1 and 2 of hour, waves, ramp, quiet, "
    "code, step, square, zero and mix, and earlier seeds 11 to 13 and 101 to 105 of most. The shapes of those and the "
    "Azure traces are in-sample, the arrivals drawn here are not; switching, variants, day and mooncake were not "
    "looked at. One exception: the rule of flat windows (domain/window) was found on seeds 3 to 5 of quiet, 3 and 4 of "
    "hour and waves; 6 and 7 were looked at afterwards. What misses teach and what a flat load keeps (decision 16) "
    "were found on draws 11 to 14 of conv, hour and quiet and 101 to 112 of unseen, and judged on 61 to 65; what long "
    "requests leave behind on draws 11 to 13 and 71 to 73 of reasoning, and judged on 61 to 65 and 81 to 85. What "
    "bursts of long answers teach was found on draws 11 to 13, 71 to 73 and 3 to 7 of reasoning, and judged on 131 to "
    "135 and 141 to 145; when a level is over on draws 3 to 7 and 121 to 130 of ramp, and judged on 131 to 135. "
    "Nothing was found on draws of unseen-flat."
)


def _switching(chance: Generator) -> list[Arrival]:
    """A Markov-modulated Poisson process: 2, 5 or 9 requests/s, eight minutes of each on average, then one of the other
    two. A process that no rule of decide() was found on."""
    grid, levels, state = np.arange(0.0, 7200.0, 5.0), (2.0, 5.0, 9.0), 0
    values = np.zeros(len(grid))
    for index in range(len(grid)):
        values[index] = levels[state]
        if chance.random() < 5.0 / 480.0:
            state = (state + int(chance.integers(1, 3))) % 3
    return traces.renewal(grid, values, np.ones(len(grid)), 7200.0, _chat(), chance)


def scenarios(startup: float = 90.0) -> dict[str, Scenario]:
    """By name, for one start-up time (seconds)."""
    l40s = (variant(startup=startup),)
    h200 = (variant("nvidia-h200", startup),)
    swing = _servegen("language_m-small", SWING, 2.0, 6.0)
    every = [
        Scenario(
            "swing",
            "ServeGen m-small, two hours with a 3.3x swing, chat lengths",
            swing,
            l40s,
            seconds=7200.0,
            swing=True,
        ),
        Scenario(
            "hour",
            "ServeGen m-small, the last hour of that swing",
            _servegen("language_m-small", SWING + 3600.0, 1.0, 6.0),
            l40s,
            swing=True,
        ),
        Scenario(
            "quiet",
            "ServeGen m-small, two flat hours, chat lengths",
            _servegen("language_m-small", 1_087_800.0, 2.0, 6.0),
            l40s,
            seconds=7200.0,
            flat=True,
        ),
        Scenario(
            "conv",
            "Azure conversation x1.5",
            lambda c: traces.overlaid([e for e in _conv() if c.random() < 0.75], 2, 3500.0, c),
            l40s,
            initial=4,
            statics=(3, 4, 5, 6, 8),
            seconds=3500.0,
            flat=True,
        ),
        Scenario(
            "code",
            "Azure code: bursts after idle minutes",
            _jittered(lambda: traces.azure("code"), 1, 3436.0),
            l40s,
            initial=2,
            statics=(1, 2, 3, 4, 6, 8, 12),
            most=16,
            seconds=3436.0,
            zero=True,
        ),
        Scenario(
            "mooncake",
            "Mooncake synthetic: prefixes shared, very long prompts",
            lambda _c: traces.mooncake(shared("traces", "mooncake", "synthetic_trace.jsonl")),
            h200,
            tpot=0.05,
            initial=4,
            statics=(3, 4, 5, 6, 8),
            most=16,
            seconds=1022.0,
            routing="prefix",
            exact=True,
            flat=True,
        ),
        Scenario(
            "day",
            "ServeGen m-small, 24 hours of production rates",
            _servegen("language_m-small", 950_400.0, 24.0, 4.0),
            l40s,
            seconds=86_400.0,
            statics=(1, 2, 3, 4, 5, 6),
            swing=True,
        ),
        Scenario(
            "reasoning",
            "ServeGen deepseek-r1, a day in three hours",
            _compressed_day,
            l40s,
            tpot=0.08,
            initial=3,
            statics=(2, 3, 4, 6, 8, 10),
            most=16,
            seconds=10_800.0,
            swing=True,
        ),
        Scenario(
            "step", "step x4 and back", _curve(_step, 3600.0), l40s, initial=2, statics=(2, 3, 4, 5, 6), swing=False
        ),
        Scenario(
            "spike",
            "spike x8 for a minute",
            _curve(_spike, 3600.0),
            l40s,
            initial=2,
            statics=(2, 3, 4, 6, 8, 10),
            most=16,
        ),
        Scenario(
            "ramp",
            "ramp x5 over 20 minutes",
            _curve(_ramp, 3600.0, 1.5),
            l40s,
            initial=2,
            statics=(2, 3, 4, 5, 6),
            swing=True,
        ),
        Scenario(
            "waves",
            "sine of 20 minutes, 2 to 9 requests/s",
            _curve(_waves, 7200.0, 1.5),
            l40s,
            seconds=7200.0,
            swing=True,
        ),
        Scenario(
            "switching",
            "2, 5 or 9 requests/s, changing at random moments: not seen before",
            _switching,
            l40s,
            seconds=7200.0,
        ),
        Scenario("square", "square wave, 10 minutes each", _curve(_square, 7200.0), l40s, seconds=7200.0, swing=False),
        Scenario(
            "zero",
            "nothing, a burst, nothing",
            _curve(_burst_from_nothing, 3600.0),
            l40s,
            initial=1,
            zero=True,
            statics=(1, 2, 3, 4),
        ),
        Scenario(
            "mix",
            "prompts three times as long at a constant request rate",
            _mix_shift,
            l40s,
            initial=3,
            statics=(3, 4, 5, 6, 8),
        ),
    ]
    every += [
        Scenario(
            name,
            title,
            lambda chance, flat=flat: unseen.arrivals(chance, 3600.0, step_time("nvidia-l40s"), flat=flat),
            l40s,
            initial=4,
            statics=(1, 2, 3, 4, 5, 6, 8, 10),
            swing=not flat,
            flat=flat,
        )
        for name, title, flat in (
            ("unseen", "levels, ramps, bursts, lengths and mix drawn anew by every seed: no recorded trace", False),
            ("unseen-flat", "one level, bursts and lengths drawn anew by every seed: no recorded trace", True),
        )
    ]
    two = (variant("nvidia-h100", startup, "h100"), variant("nvidia-l40s", startup, "l40s"))
    every.append(Scenario("variants", "swing on two variants, H100 and L40S", swing, two, seconds=7200.0, initial=2))
    base = next(each for each in every if each.name == "step")
    faults: Mapping[str, Faults] = {
        "gap": Faults(gap=(1230.0, 1350.0)),
        "stuck": Faults(unschedulable=(1200.0, 3600.0)),
        "slow": Faults(slow={0: 3.0}),
        "quota": Faults(quota=(0.0, 3600.0, 4)),
    }
    every += [
        replace(base, name=f"fault-{name}", title=f"step x4 with a fault: {FAULTS[name]}", faults=fault, swing=False)
        for name, fault in faults.items()
    ]
    return {each.name: each for each in every}


FAULTS = {
    "gap": "no metrics for two minutes",
    "stuck": "new pods find no node",
    "slow": "one replica three times slower",
    "quota": "four accelerators and no more",
}
