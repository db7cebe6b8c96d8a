"""Fit the step-time and frontend parameters of apps/physics/data/step-times.json to the measured H200.

    python -m bench.fit_step_time [--without replay|poisson|closed|prefill] [--start FILE]

Robust least squares on log ratios of what the simulator and the engine show to a client, each weighed by how well it is
known (a Poisson window of 15-20 s near saturation says little about its TTFT, more about its time between tokens and
how many requests were still running at its end), with priors from the kernel tables.
`--without` leaves one kind of measurement out, so that `python -m bench.engine_fidelity --parameters FILE` on the
result shows the error on data that the fit has not seen. Prints the parameters as the data file has them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from bench.common import shared
from bench.engine_fidelity.measured import Measurements, left, load
from bench.engine_fidelity.simulated import PARAMETERS, Simulator, simulator_of

KINDS = ("prefill", "poisson", "closed", "replay")
# name: (prior, its standard deviation, lowest, highest), in the data file's units. The tables' fit for this pair gave
# read 4.96, read_token 10.8, compute 3.03, compute_token 18.6, attention_pair .807, kv_token 29.3; a prompt alone
# measured 54.7 ms at 2,048 and 220 ms at 8,192 tokens, a cached one 13 ms at 512 and 59 ms at 32,768.
PRIORS = {
    "read": (4.9, 0.3, 3, 7),
    "read_token": (10.8, 2, 0, 25),
    "compute": (-1.0, 2, -6, 6),
    "compute_token": (21.5, 1, 15, 30),
    "attention_pair": (0.95, 0.1, 0.3, 1.5),
    "kv_token": (30.0, 0.7, 15, 50),
    "prefill_request": (0.2, 0.4, 0, 4),
    "mixed": (1.5, 1, 1, 3),
    "mixed_step": (0.0, 2, 0, 20),
    "decode_pair": (0.0, 20, 0, 60),
    "latency": (6.8, 1, 0, 12),
    "request": (0.75, 0.4, 0, 3),
    "prompt_token": (1.4, 0.3, 0, 4),
    "token": (50.0, 30, 0, 200),
}
PRIOR_WEIGHT = 0.5
# How far a window's TTFT strays from draw to draw, as a share of itself, by rate.
STRAY = {5: 0.02, 10: 0.02, 15: 0.05, 20: 0.05, 25: 0.1, 30: 0.1, 35: 0.2, 40: 0.2, 45: 0.1}
SEEDS = range(2)
# of a Poisson window, beside its TTFT: standard deviation of the log
WINDOW = {"tpot_mean": 0.04, "tpot_p90": 0.05, "itl_p50": 0.05, "drain_s": 0.04}
CROWDED = 20  # requests/s from which on the window ends with enough requests to say something
RUNNING, WAITING = 0.08, 0.25
LOCKSTEP = 128  # clients in a closed loop beyond which the model is known to be weak


def prefill_residuals(simulator: Simulator, data: Measurements) -> Iterator[float]:
    for prompt, measured in data.prefill.items():
        yield np.log(simulator.prefill(prompt) / measured) / 0.03
    for prompt, measured in data.cached.items():
        yield np.log(simulator.cached(prompt) / measured) / 0.035


def poisson_residuals(simulator: Simulator, row: dict[str, Any]) -> Iterator[float]:
    draws = [simulator.poisson(row, seed) for seed in SEEDS]

    def off(name: str, measured: float) -> float:
        return float(np.log(fmean(draw[name] for draw in draws) / measured))

    rate, stray = row["rate"], STRAY[row["rate"]]
    for name, sigma in (("ttft_p50", 0.06), ("ttft_p90", 0.08)):
        yield off(name, row[name]) / np.hypot(sigma, stray)
    for name, sigma in WINDOW.items():
        yield off(name, row[name]) / np.hypot(sigma, 0.03)
    if rate >= CROWDED:
        end = left(row)
        yield off("running", end["running"]) / RUNNING
        if end["waiting"] > CROWDED:
            yield off("waiting", end["waiting"]) / WAITING


def closed_residuals(simulator: Simulator, row: dict[str, Any]) -> Iterator[float]:
    loop = simulator.closed(row)
    less = 1.0 if row["c"] <= LOCKSTEP else 2.5
    for name, sigma in (("rps", 0.04), ("itl_p50", 0.03), ("ttft_mean", 0.1), ("tpot_mean", 0.05)):
        yield np.log(loop[name] / row[name]) / sigma / less


def replay_residuals(simulator: Simulator, data: Measurements) -> Iterator[float]:
    ttft, tpot = simulator.replay(data.replay)
    for ours, real in ((ttft, data.replay.ttft), (tpot, data.replay.tpot)):
        for percent in (10, 25, 50, 75, 90):
            yield np.log(np.nanpercentile(ours, percent) / np.nanpercentile(real, percent)) / 0.05
        yield np.log(np.nanmean(ours) / np.nanmean(real)) / 0.05


def part(kind: str, index: int, values: dict[str, float], data: Measurements) -> list[float]:
    """Log ratios over their standard deviations, of one piece of the measurements."""
    simulator = simulator_of(values)
    match kind:
        case "prefill":
            return list(prefill_residuals(simulator, data))
        case "poisson":
            return list(poisson_residuals(simulator, data.poisson[index]))
        case "closed":
            return list(closed_residuals(simulator, data.closed[index]))
    return list(replay_residuals(simulator, data))


def pieces(data: Measurements, kinds: tuple[str, ...]) -> list[tuple[str, int]]:
    """What can be simulated apart, the longest first."""
    counts = {"prefill": 1, "poisson": len(data.poisson), "closed": len(data.closed), "replay": 1}
    return [(kind, index) for kind in sorted(kinds, reverse=True) for index in reversed(range(counts[kind]))]


def fit(
    data: Measurements, kinds: tuple[str, ...], evaluations: int, start: dict[str, float] | None = None
) -> dict[str, float]:
    """Parameters in the data file's units."""
    prior, sigma, low, high = (np.array(column) for column in zip(*(PRIORS[name] for name in PARAMETERS), strict=True))
    first = prior if start is None else np.array([start.get(name, PRIORS[name][0]) for name in PARAMETERS])
    work = pieces(data, kinds)
    with ProcessPoolExecutor(os.cpu_count()) as pool:

        def cost(values: NDArray[np.float64]) -> NDArray[np.float64]:
            named = dict(zip(PARAMETERS, map(float, values), strict=True))
            jobs = [pool.submit(part, kind, index, named, data) for kind, index in work]
            found = [value for job in jobs for value in job.result()]
            return np.array([*found, *((values - prior) / sigma * PRIOR_WEIGHT)])

        def slopes(values: NDArray[np.float64]) -> NDArray[np.float64]:
            # steps wide enough for the noise of scheduling: a statistic jumps when a request changes its step
            base, columns = cost(values), []
            for index, step in enumerate(0.25 * sigma):
                moved = values.copy()
                moved[index] += step if moved[index] + step < high[index] else -step
                columns.append((cost(moved) - base) / (moved[index] - values[index]))
            return np.array(columns).T

        margin = 1e-6 * sigma
        found: Any = least_squares(
            cost, np.clip(first, low + margin, high - margin), jac=slopes, bounds=(low, high), x_scale=sigma,
            loss="soft_l1", max_nfev=evaluations,
        )  # fmt: skip
    return {name: round(float(value), 3) for name, value in zip(PARAMETERS, found.x, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", choices=KINDS, help="leave out one kind of measurement")
    parser.add_argument("--start", type=Path, help="parameters to start from (default: the priors)")
    parser.add_argument("--evaluations", type=int, default=8, help="steps of the optimiser (default 8)")
    options = parser.parse_args()
    data = load(
        shared("calibration", "vllm-0.25.1-h200-llama-8b.jsonl").read_text(encoding="utf-8"),
        shared("calibration", "replay-azure-conv-x3.json").read_text(encoding="utf-8"),
    )
    kinds = tuple(kind for kind in KINDS if kind != options.without)
    print(f"fitting to {', '.join(kinds)}; this takes minutes", file=sys.stderr)
    start = json.loads(options.start.read_text(encoding="utf-8")) if options.start else None
    print(json.dumps(fit(data, kinds, options.evaluations, start)))


if __name__ == "__main__":
    main()
