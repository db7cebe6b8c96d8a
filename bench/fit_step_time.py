"""Fit the step-time and frontend parameters of apps/physics/data/step-times.json to the measured H200.

    python -m bench.fit_step_time [--without replay|poisson|closed|prefill]

Robust least squares on log ratios of what the simulator and the engine show to a client, each weighed by how well it is
known (a Poisson window of 15-20 s near saturation says little about its TTFT), with priors from the kernel tables.
`--without` leaves one kind of measurement out, so that `python -m bench.engine_fidelity --parameters FILE` on the
result shows the error on data that the fit has not seen. Prints the parameters as the data file has them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from bench.common import shared
from bench.engine_fidelity.measured import Measurements, load
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
    "mixed": (2.0, 1, 1, 3),
    "latency": (6.8, 1, 0, 12),
    "request": (0.75, 0.4, 0, 3),
    "prompt_token": (1.4, 0.3, 0, 4),
    "token": (50.0, 30, 0, 200),
}
PRIOR_WEIGHT = 0.5
# How far a window's TTFT strays from draw to draw, as a share of itself, by rate.
STRAY = {5: 0.02, 10: 0.02, 15: 0.05, 20: 0.05, 25: 0.1, 30: 0.1, 35: 0.2, 40: 0.2, 45: 0.1}
SEEDS = range(4)
CLOSED_CLIENTS = (1, 16, 32, 64, 128)


def residuals(simulator: Simulator, data: Measurements, kinds: tuple[str, ...]) -> Iterator[float]:
    """Log ratios over their standard deviations."""
    if "prefill" in kinds:
        for prompt, measured in data.prefill.items():
            yield np.log(simulator.prefill(prompt) / measured) / 0.05
        for prompt, measured in data.cached.items():
            yield np.log(simulator.cached(prompt) / measured) / 0.05
    if "poisson" in kinds:
        for row in data.poisson:
            draws = [simulator.poisson(row, seed) for seed in SEEDS]
            for name, sigma in (
                ("ttft_p50", 0.06), ("ttft_p90", 0.08), ("tpot_mean", 0.04), ("tpot_p90", 0.06), ("drain_s", 0.06),
            ):  # fmt: skip
                stray = STRAY[row["rate"]] if name.startswith("ttft") else 0.03
                yield np.log(fmean(draw[name] for draw in draws) / row[name]) / np.hypot(sigma, stray)
    if "closed" in kinds:
        for row in data.closed:
            if row["c"] in CLOSED_CLIENTS:
                loop = simulator.closed(row)
                yield np.log(loop["rps"] / row["rps"]) / 0.04
                yield np.log(loop["itl_p50"] / row["itl_p50"]) / 0.03
                yield np.log(loop["ttft_mean"] / row["ttft_mean"]) / 0.1
    if "replay" in kinds:
        ttft, tpot = simulator.replay(data.replay)
        for ours, real in ((ttft, data.replay.ttft), (tpot, data.replay.tpot)):
            for percent in (10, 25, 50, 75, 90):
                yield np.log(np.nanpercentile(ours, percent) / np.nanpercentile(real, percent)) / 0.05
            yield np.log(np.nanmean(ours) / np.nanmean(real)) / 0.05


def fit(data: Measurements, kinds: tuple[str, ...], evaluations: int) -> dict[str, float]:
    """Parameters in the data file's units."""
    prior, sigma, low, high = (np.array(column) for column in zip(*(PRIORS[name] for name in PARAMETERS), strict=True))

    def cost(values: NDArray[np.float64]) -> NDArray[np.float64]:
        simulator = simulator_of(dict(zip(PARAMETERS, values, strict=True)))
        return np.array([*residuals(simulator, data, kinds), *((values - prior) / sigma * PRIOR_WEIGHT)])

    found: Any = least_squares(
        cost, prior, bounds=(low, high), x_scale=sigma, diff_step=0.02, loss="soft_l1", max_nfev=evaluations
    )
    return {name: round(float(value), 3) for name, value in zip(PARAMETERS, found.x, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--without", choices=KINDS, help="leave out one kind of measurement")
    parser.add_argument("--evaluations", type=int, default=8, help="steps of the optimiser (default 8)")
    options = parser.parse_args()
    data = load(
        shared("calibration", "vllm-0.25.1-h200-llama-8b.jsonl").read_text(encoding="utf-8"),
        shared("calibration", "replay-azure-conv-x3.json").read_text(encoding="utf-8"),
    )
    kinds = tuple(kind for kind in KINDS if kind != options.without)
    print(f"fitting to {', '.join(kinds)}; this takes minutes", file=sys.stderr)
    print(json.dumps(fit(data, kinds, options.evaluations)))


if __name__ == "__main__":
    main()
