"""Step times by pair, and how far scaling is to be trusted."""

from __future__ import annotations

import math

import pytest

from apps.physics import catalogue
from apps.physics.catalogue import ModelSize, accelerators, frontend, step_time_for
from apps.physics.coldstart import cold_start_seconds
from apps.physics.steptime import StepLoad, StepTimeModel

LLAMA_8B = ModelSize(8.03e9, 32, 16.06e9, 131072)
LLAMA_70B = ModelSize(70.6e9, 80, 141.2e9, 327680)
PREFILL = StepLoad(prefill_tokens=4096, prefill_requests=1, attention_pairs=4096**2 / 2)
DECODE = StepLoad(decode_requests=64, kv_tokens=64 * 1024)


def test_a_measured_pair_is_taken_as_it_is():
    timing = step_time_for(LLAMA_8B, "nvidia-h200")
    assert timing.origin == "measured"
    assert timing.step_time.seconds(StepLoad(decode_requests=1, kv_tokens=512)) == pytest.approx(4.86e-3, rel=0.05)


def test_a_pair_from_the_tables_keeps_its_fit():
    timing = step_time_for(LLAMA_8B, "nvidia-h100")
    assert timing.origin == "tables"
    assert timing.step_time.seconds(DECODE) == pytest.approx(10.34e-3, rel=0.06)


@pytest.mark.parametrize("accelerator", accelerators())
@pytest.mark.parametrize("tensor_parallel", [1, 2, 8])
@pytest.mark.parametrize("size", [LLAMA_8B, LLAMA_70B, ModelSize(1.24e9, 16, 2.5e9, 32768)])
def test_every_pair_has_sane_times(size, accelerator, tensor_parallel):
    times = step_time_for(size, accelerator, tensor_parallel).step_time
    assert times.read > 0
    assert times.seconds(PREFILL) > times.seconds(StepLoad(prefill_tokens=64, prefill_requests=1)) > 0
    assert times.seconds(DECODE) > times.seconds(StepLoad(decode_requests=1, kv_tokens=1024)) > 0


def test_scaling_reproduces_each_known_pair_from_another():
    rows = catalogue._rows()
    worst = 1.0
    for row in rows:
        others = tuple(other for other in rows if other is not row)
        basis = catalogue._nearest(row.size, row.accelerator, row.tensor_parallel, others)
        guess = catalogue.scaled(basis, row.size, row.accelerator, row.tensor_parallel).step_time
        for load in (PREFILL, DECODE):
            worst = max(worst, math.exp(abs(math.log(guess.seconds(load) / row.step_time.seconds(load)))))
    assert worst < 1.6


def test_the_smallest_model_takes_as_long_as_any_step_does():
    tiny = ModelSize(213_312, 2, 426_624, 512)
    one = StepLoad(decode_requests=1, kv_tokens=100)
    assert step_time_for(tiny, "cpu").step_time.seconds(one) == pytest.approx(4.3e-3, rel=0.05)
    # reading its weights takes longer than that
    assert step_time_for(LLAMA_8B, "cpu").step_time.seconds(one) > 0.08


def test_an_unknown_accelerator_is_named():
    with pytest.raises(ValueError, match=r"'tpu-v9'; known are .*nvidia-h200"):
        step_time_for(LLAMA_8B, "tpu-v9")


def test_a_step_costs_what_its_parts_cost():
    times = StepTimeModel(5.0, 0.01, 1.0, 0.02, 0.001, 0.0001, prefill_request=0.5, mixed=2.0)
    assert times.seconds(StepLoad()) == 0
    assert times.seconds(StepLoad(decode_requests=100, kv_tokens=1000)) == pytest.approx(5 + 1 + 0.1)
    load = StepLoad(prefill_tokens=900, prefill_requests=2, attention_pairs=10, decode_requests=100, kv_tokens=1000)
    assert times.seconds(load) == pytest.approx(1 + 20 + 1 + 0.01 + 0.2)


def test_cold_start_is_the_measured_one_and_weights_come_on_top():
    assert cold_start_seconds() == pytest.approx(94.7)
    assert cold_start_seconds(compile_cache="warm") == pytest.approx(73.4)
    assert cold_start_seconds(eager=True) == pytest.approx(55.1)
    assert cold_start_seconds(weight_bytes=16e9, read_bandwidth=2e9) == pytest.approx(102.7)


def test_admission_costs_by_the_length_of_the_prompt():
    model = frontend()
    assert 0 < model.admission(10) < model.admission(10_000)
