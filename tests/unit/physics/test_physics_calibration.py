"""The engine's data against measurements of a real one: the short part of bench/engine_fidelity."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest

from apps.physics import catalogue
from bench.engine_fidelity.measured import ACCELERATOR, MODEL, SECOND, Measurements, load, load_windows
from bench.engine_fidelity.simulated import Simulator
from tests.support.shared import shared_file


@pytest.fixture(scope="module")
def data() -> Measurements:
    return load(
        shared_file("calibration/vllm-0.25.1-h200-llama-8b.jsonl").read_text(encoding="utf-8"),
        shared_file("calibration/replay-azure-conv-x3.json").read_text(encoding="utf-8"),
    )


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    timing = catalogue.step_time_for(MODEL, ACCELERATOR)
    assert timing.origin == "measured"
    return Simulator(timing.step_time, catalogue.frontend())


def test_a_prompt_alone_takes_what_it_took(data, simulator):
    for prompt, measured in data.prefill.items():
        assert simulator.prefill(prompt) == pytest.approx(measured, rel=0.15)


def test_tokens_flow_as_they_did_in_a_light_and_a_heavy_window(data, simulator):
    for rate, draws in ((10, 3), (30, 3)):
        row = next(row for row in data.poisson if row["rate"] == rate)
        seen = [simulator.poisson(row, seed) for seed in range(draws)]
        assert median(draw["tpot_mean"] for draw in seen) == pytest.approx(row["tpot_mean"], rel=0.15)
        assert median(draw["ttft_p50"] for draw in seen) == pytest.approx(row["ttft_p50"], rel=0.15)


def test_requests_that_came_at_known_times_take_what_they_took(simulator):
    windows = {window.name: window for window in load_windows(SECOND.read_text(encoding="utf-8"))}
    assert len(windows) == 11
    for rate in (10, 25, 40):
        window = windows[f"poisson {rate}/s"]
        for ours, real in zip(simulator.replay(window), (window.ttft, window.tpot), strict=True):
            assert np.mean(ours) == pytest.approx(np.mean(real), rel=0.15)
            assert np.percentile(ours, 50) == pytest.approx(np.percentile(real, 50), rel=0.15)
            assert np.percentile(ours, 90) == pytest.approx(np.percentile(real, 90), rel=0.25)


def test_the_replayed_conversation_has_the_measured_quantiles(data, simulator):
    for ours, real in zip(simulator.replay(data.replay), (data.replay.ttft, data.replay.tpot), strict=True):
        assert np.nanmean(ours) == pytest.approx(np.nanmean(real), rel=0.15)
        assert np.nanpercentile(ours, 50) == pytest.approx(np.nanpercentile(real, 50), rel=0.15)
        assert np.nanpercentile(ours, 90) == pytest.approx(np.nanpercentile(real, 90), rel=0.25)


def test_a_burst_of_128_clients_waits_as_it_did(data, simulator):
    row = next(row for row in data.closed if row["c"] == 128)
    ours = simulator.closed(row)
    for name in ("rps", "ttft_mean", "ttft_p50", "tpot_mean", "itl_p50"):
        assert ours[name] == pytest.approx(row[name], rel=0.1)


def test_a_prompt_in_the_cache_takes_what_it_took(data, simulator):
    for prompt, measured in data.cached.items():
        assert simulator.cached(prompt) == pytest.approx(measured, rel=0.15)
