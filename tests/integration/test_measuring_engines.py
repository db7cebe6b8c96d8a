"""The program that measured the real engine, run against the simulated one: its data is what the benchmark reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.engine_fidelity.measure import main
from bench.engine_fidelity.measured import load_windows
from tests.support.engines import run_engine


def test_what_is_measured_is_what_the_benchmark_reads(tmp_path: Path) -> None:
    out = tmp_path / "measured.json"
    with run_engine(tmp_path, "--served-model-name", "llama", "--max-model-len=4096") as engine:
        sizes, rates = ["--prompts", "256", "2048"], ["--rates", "10", "10", "--seconds", "1"]
        main([engine.url, "--model", "llama", "--out", str(out), *sizes, *rates])
    one, again = load_windows(out.read_text(encoding="utf-8"))
    assert (one.name, again.name) == ("poisson 10/s", "poisson 10/s again")
    assert len(one.arrival) != len(again.arrival) or (one.arrival != again.arrival).any()
    assert (np.diff(one.arrival) > -0.01).all()
    assert (one.ttft > 0).all() and (one.tpot > 0).all()
    assert set(one.prompt) == {1024} and set(one.output) == {256}
