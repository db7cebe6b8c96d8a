"""How true the simulated engine is: TTFT and TPOT against a real vLLM on an H200, and how fast it simulates.

Bounds: 15 % at a prompt's time alone, at means and at p50; 25 % at p90. Where the requests of a run came at known
times (Poisson windows and replays), the simulator plays the same requests once, and each statistic has to be within its
bound. The parameters were fitted before the second sitting (bench/engine_fidelity/measured.py) was measured: its
windows and replays are data that no fit has seen.

Two rules for what is not one number. A run that was measured twice is a range: the simulator has to be within the
bound of the nearer end. Poisson windows whose arrivals nobody wrote down are one draw of a random process (near
saturation two draws differ by a factor of two), so they are compared with many draws: the middle 90 % of these is the
range, and the measurement has to be within the bound of it. That is a weak test; the windows of known arrivals are the
strong one.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.benchmarks.domain.traces import read_trace
from apps.physics import catalogue
from bench.common import finish, shared
from bench.engine_fidelity.measured import (
    ACCELERATOR,
    MODEL,
    SECOND,
    Measurements,
    Replay,
    Second,
    load,
    load_second,
)
from bench.engine_fidelity.simulated import Simulator, simulator_of

CENTRE, TAIL = 0.15, 0.25
DRAWS = 40
DRAWN = {"ttft_p50": CENTRE, "ttft_p90": TAIL, "tpot_mean": CENTRE, "tpot_p90": TAIL}
PLAYED = {"ttft_mean": CENTRE, "tpot_p50": CENTRE} | DRAWN


@dataclass(frozen=True)
class Span:
    """From `low` to `high`; one value where both are equal."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:8.1f}" if self.low == self.high else f"{self.low:8.1f} .. {self.high:.1f}"


@dataclass(frozen=True)
class Check:
    """One comparison."""

    name: str
    measured: Span
    simulated: Span
    bound: float

    @property
    def ratio(self) -> float:
        """Simulated over measured, where they are nearest; 1 where they overlap."""
        if self.simulated.high < self.measured.low:
            return self.simulated.high / self.measured.low
        if self.simulated.low > self.measured.high:
            return self.simulated.low / self.measured.high
        return 1.0

    @property
    def holds(self) -> bool:
        return abs(self.ratio - 1) <= self.bound

    @property
    def exact(self) -> bool:
        """One number against one number."""
        return self.measured.low == self.measured.high and self.simulated.low == self.simulated.high

    def __str__(self) -> str:
        verdict = "" if self.holds else "   MISSED"
        return f"{self.name:28} measured {self.measured}  simulated {self.simulated}  x{self.ratio:.2f}{verdict}"


def span(values: Sequence[float]) -> Span:
    return Span(min(values), max(values))


def alone_checks(data: Measurements, second: Second, simulator: Simulator) -> Iterator[Check]:
    """Prompts alone, with nothing cached and again."""
    for name, ours, sittings in (
        ("prefill", simulator.prefill, (data.prefill, second.prefill)),
        ("cached", simulator.cached, (data.cached, second.cached)),
    ):
        for prompt in sorted({*sittings[0], *sittings[1]}):
            measured = span([sitting[prompt] for sitting in sittings if prompt in sitting])
            yield Check(f"{name} {prompt} ttft", measured, span([ours(prompt)]), CENTRE)


def played_checks(name: str, sittings: Sequence[Replay], simulator: Simulator) -> Iterator[Check]:
    """The same requests at the same times; `sittings` that measured them."""
    ours = statistics(*simulator.replay(sittings[-1]))
    real = [statistics(sitting.ttft, sitting.tpot) for sitting in sittings]
    for statistic, bound in PLAYED.items():
        measured = span([each[statistic] for each in real])
        yield Check(f"{name} {statistic}", measured, span([ours[statistic]]), bound)


def drawn_checks(data: Measurements, simulator: Simulator) -> Iterator[Check]:
    """Poisson windows of unknown arrivals, drawn on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [[pool.submit(simulator.poisson, row, seed) for seed in range(DRAWS)] for row in data.poisson]
        for row, drawn in zip(data.poisson, jobs, strict=True):
            draws = [job.result() for job in drawn]
            for name, bound in DRAWN.items():
                low, high = np.percentile([draw[name] for draw in draws], [5, 95])
                yield Check(f"drawn {row['rate']}/s {name}", span([row[name]]), Span(float(low), float(high)), bound)


def checks_of(data: Measurements, second: Second, simulator: Simulator) -> Iterator[Check]:
    yield from alone_checks(data, second, simulator)
    for window in second.windows:
        yield from played_checks(window.name, [window], simulator)
    yield from played_checks(f"replay {second.again.name}", [data.replay, second.again], simulator)
    for replay in second.replays:
        yield from played_checks(f"replay {replay.name}", [replay], simulator)
    yield from drawn_checks(data, simulator)


def statistics(ttft: NDArray[np.float64], tpot: NDArray[np.float64]) -> dict[str, float]:
    """What is compared of a run, ms."""
    found = {"ttft_mean": np.nanmean(ttft), "tpot_mean": np.nanmean(tpot)}
    for name, values in (("ttft", ttft), ("tpot", tpot)):
        for quantile in (50, 90):
            found[f"{name}_p{quantile}"] = np.nanpercentile(values, quantile)
    return {name: float(value) for name, value in found.items()}


def repeatability(data: Measurements, second: Second) -> dict[str, float]:
    """The replay that was measured twice: the second sitting's statistics over the first one's."""
    first, again = (statistics(sitting.ttft, sitting.tpot) for sitting in (data.replay, second.again))
    return {name: round(again[name] / first[name], 3) for name in PLAYED}


def closed_loops(rows: Sequence[dict[str, Any]], simulator: Simulator) -> None:
    for row in rows:
        ours = simulator.closed(row)
        names = ("rps", "ttft_mean", "ttft_p50", "ttft_p90", "tpot_mean", "itl_p50")
        parts = " ".join(f"{name} x{ours[name] / row[name]:.2f}" for name in names)
        print(f"  {row['c']} clients, {row['inp']}/{row['out']} tokens: {parts}")


def speed(data: Measurements, simulator: Simulator) -> float:
    """Simulated seconds per second of one core at 20 requests/s."""
    row = next(row for row in data.poisson if row["rate"] == 20)
    started = time.process_time()
    simulator.poisson(row, 0)
    return float(row["arr_s"] / (time.process_time() - started))


def lengths(trace: str, from_s: float, faster: float, seconds: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Prompt and output tokens of the Azure 2023 trace's requests from `from_s` on, for `seconds` of their replay."""
    with shared("traces", "azure2023", trace).open(encoding="utf-8", newline="") as lines:
        plan = read_trace(lines)
    requests = [request for request in plan if from_s <= request.at < from_s + seconds * faster]
    return (
        np.array([sum(segment.tokens for segment in request.prompt) for request in requests]),
        np.array([request.output_tokens for request in requests]),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", type=Path, help="a JSON file from bench.fit_step_time instead of our data")
    options = parser.parse_args()
    data = load(
        shared("calibration", "vllm-0.25.1-h200-llama-8b.jsonl").read_text(encoding="utf-8"),
        shared("calibration", "replay-azure-conv-x3.json").read_text(encoding="utf-8"),
    )
    second = load_second(SECOND.read_text(encoding="utf-8"), data.replay, lengths)
    if options.parameters:
        simulator = simulator_of(json.loads(options.parameters.read_text(encoding="utf-8")))
    else:
        simulator = Simulator(catalogue.step_time_for(MODEL, ACCELERATOR).step_time, catalogue.frontend())
    checks: list[Check] = []
    for check in checks_of(data, second, simulator):
        print(check, flush=True)
        checks.append(check)
    twice = repeatability(data, second)
    print("the replay measured twice, second over first:", " ".join(f"{name} x{twice[name]:.2f}" for name in twice))
    for sitting, rows in (("first", data.closed), ("second", second.closed)):
        print(f"closed loops of the {sitting} sitting (no bound):")
        closed_loops(rows, simulator)
    times_real = max(speed(data, simulator) for _ in range(3))
    print(f"speed: {times_real:.0f} times real time at 20 requests/s")
    exact = [check for check in checks if check.exact]
    finish(
        "engine_fidelity",
        figures={
            "checks": len(checks),
            "checks_missed": [check.name for check in checks if not check.holds],
            "checks_of_known_arrivals": len(exact),
            "median_error_of_known_arrivals": round(float(np.median([abs(check.ratio - 1) for check in exact])), 3),
            "worst_of_known_arrivals": max(exact, key=lambda check: abs(check.ratio - 1) / check.bound).name,
            "measured_twice": twice,
            "times_real_time": round(times_real),
        },
        ratios={check.name.replace(" ", "_"): round(check.ratio, 3) for check in checks},
        peer="vLLM 0.25.1 on two NVIDIA H200s, measured",
        ok=all(check.holds for check in checks) and times_real >= 100,
    )


if __name__ == "__main__":
    main()
