"""How true the simulated engine is: TTFT and TPOT against a real vLLM on an H200, and how fast it simulates.

Bounds: prompts alone 15 %; the replay and the Poisson windows 15 % at p50 and mean, 25 % at p90. A measured Poisson
window is one draw of a random process that was 15-20 s long, so it is compared with many draws of the simulator: a row
holds when the median of the draws is within its bound. Two figures stand beside it: whether the measurement is within
the bound of their middle 90 %, and the median of those draws that left the engine as the measured window did
(bench/engine_fidelity/windows.py). What misses the first and not these may be the luck of one window.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from apps.physics import catalogue
from bench.common import finish, shared
from bench.engine_fidelity.measured import ACCELERATOR, MODEL, Measurements, load
from bench.engine_fidelity.simulated import Simulator, simulator_of
from bench.engine_fidelity.windows import draw_windows

CENTRE, TAIL = 0.15, 0.25
BOUNDS = {"ttft_p50": CENTRE, "ttft_p90": TAIL, "tpot_mean": CENTRE, "tpot_p90": TAIL}


@dataclass(frozen=True)
class Check:
    """One comparison. low, high: the middle 90 % of the simulator's draws; alike: the median of those that left the
    engine as the measured window did; all `simulated` where there is one only."""

    name: str
    measured: float
    simulated: float
    bound: float
    low: float
    high: float
    alike: float

    @property
    def ratio(self) -> float:
        return self.simulated / self.measured

    @property
    def holds(self) -> bool:
        return abs(self.ratio - 1) <= self.bound

    @property
    def holds_alike(self) -> bool:
        return abs(self.alike / self.measured - 1) <= self.bound

    @property
    def among_draws(self) -> bool:
        """Whether the measurement is within the bound of the middle 90 % of the draws."""
        return self.low / (1 + self.bound) <= self.measured <= self.high / (1 - self.bound)

    def __str__(self) -> str:
        values = f"measured {self.measured:9.1f}  simulated {self.simulated:9.1f}  x{self.ratio:.2f}"
        spread = "" if self.low == self.high else f"   draws {self.low:.1f} .. {self.high:.1f}, alike {self.alike:.1f}"
        return f"{self.name:24} {values}{spread}{'' if self.holds else '   MISSED'}"


def one(name: str, measured: float, simulated: float, bound: float) -> Check:
    return Check(name, measured, simulated, bound, simulated, simulated, simulated)


def prefill_checks(data: Measurements, simulator: Simulator) -> Iterator[Check]:
    for prompt, measured in data.prefill.items():
        yield one(f"prefill {prompt} ttft", measured, simulator.prefill(prompt), CENTRE)
    for prompt, measured in data.cached.items():
        yield one(f"cached {prompt} ttft", measured, simulator.cached(prompt), CENTRE)


def poisson_checks(data: Measurements, simulator: Simulator) -> Iterator[Check]:
    for row, windows in zip(data.poisson, draw_windows(simulator, data.poisson), strict=True):
        rate = f"poisson {row['rate']}/s"
        print(f"{rate}: {len(windows.alike)} of {len(windows.all)} are alike, within {windows.tolerance:.2f} s.d.")
        for name, bound in BOUNDS.items():
            low, middle, high = np.percentile([draw[name] for draw in windows.all], [5, 50, 95])
            alike = float(np.median([draw[name] for draw in windows.alike]))
            yield Check(f"{rate} {name}", row[name], float(middle), bound, float(low), float(high), alike)


def replay_checks(data: Measurements, simulator: Simulator) -> Iterator[Check]:
    ttft, tpot = simulator.replay(data.replay)
    for name, ours, real in (("ttft", ttft, data.replay.ttft), ("tpot", tpot, data.replay.tpot)):
        yield one(f"replay {name}_mean", float(np.nanmean(real)), float(np.nanmean(ours)), CENTRE)
        for quantile, bound in ((50, CENTRE), (90, TAIL)):
            yield one(f"replay {name}_p{quantile}", _quantile(real, quantile), _quantile(ours, quantile), bound)


def speed(data: Measurements, simulator: Simulator) -> float:
    """Simulated seconds per second of one core at 20 requests/s."""
    row = next(row for row in data.poisson if row["rate"] == 20)
    started = time.process_time()
    simulator.poisson(row, 0)
    return float(row["arr_s"] / (time.process_time() - started))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parameters", type=Path, help="a JSON file from bench.fit_step_time instead of our data")
    options = parser.parse_args()
    data = load(
        shared("calibration", "vllm-0.25.1-h200-llama-8b.jsonl").read_text(encoding="utf-8"),
        shared("calibration", "replay-azure-conv-x3.json").read_text(encoding="utf-8"),
    )
    if options.parameters:
        simulator = simulator_of(json.loads(options.parameters.read_text(encoding="utf-8")))
    else:
        simulator = Simulator(catalogue.step_time_for(MODEL, ACCELERATOR).step_time, catalogue.frontend())
    checks: list[Check] = []
    for group in (prefill_checks, poisson_checks, replay_checks):
        for check in group(data, simulator):
            print(check)
            checks.append(check)
    print("closed loops (no bound):")
    for row in data.closed:
        ours = simulator.closed(row)
        names = ("rps", "ttft_mean", "ttft_p50", "ttft_p90", "tpot_mean", "itl_p50")
        parts = " ".join(f"{name} x{ours[name] / row[name]:.2f}" for name in names)
        print(f"  {row['c']} clients, {row['inp']}/{row['out']} tokens: {parts}")
    times_real = max(speed(data, simulator) for _ in range(3))
    print(f"speed: {times_real:.0f} times real time at 20 requests/s")
    finish(
        "engine_fidelity",
        figures={
            "checks": len(checks),
            "checks_missed": [check.name for check in checks if not check.holds],
            "checks_missed_by_windows_alike": [check.name for check in checks if not check.holds_alike],
            "checks_outside_draws": [check.name for check in checks if not check.among_draws],
            "median_error": round(float(np.median([abs(check.ratio - 1) for check in checks])), 3),
            "times_real_time": round(times_real),
        },
        ratios={check.name.replace(" ", "_"): round(check.ratio, 3) for check in checks},
        peer="vLLM 0.25.1 on one NVIDIA H200, measured",
        ok=all(check.holds for check in checks) and times_real >= 100,
    )


def _quantile(values: NDArray[np.float64], percent: float) -> float:
    return float(np.nanpercentile(values, percent))


if __name__ == "__main__":
    main()
