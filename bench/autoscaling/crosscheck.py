"""Our fleet simulator against NVIDIA's DynoSim: the same trace, the same fixed replicas; then policies inside DynoSim.

The step times are the referee's own: what its workers report of single steps (tokens computed, context read, seconds)
on *another* trace is fitted with our step-time model. DynoSim adds a prefill pass to a decode pass in mixed steps and
does not schedule ahead, so ours is set to the same here (`mixed_step`, `async_scheduling` off, no API server): what is
compared is queueing, batching, chunking and memory. Bounds: p50 of TTFT and TPOT within 10 %, p90 within 15 %.

Then the production decide() and NVIDIA's planner steer DynoSim's own fleet on the swing trace.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from apps.physics import EngineConfig, StepTimeModel
from apps.physics.fleet.fleet import Fleet, FleetVariant, StartUp
from apps.physics.fleet.run import Limits, run
from apps.physics.fleet.types import Arrival
from bench.autoscaling import traces
from bench.autoscaling.dynosim.environment import NoDynoSim, ask, python
from bench.autoscaling.scenarios import SEATS, SWING
from bench.common import finish

MODEL = "meta-llama/Meta-Llama-3.1-8B"
CENTRE, TAIL = 0.10, 0.15
PEER = "NVIDIA DynoSim (ai-dynamo 1.6.1)"


@dataclass(frozen=True)
class Case:
    """A system of DynoSim's with the KV blocks it is given, and fixed fleets to compare on."""

    system: str
    kv_blocks: int
    rate: float
    sizes: tuple[int, ...]
    tpot: float


CASES = (
    Case("l40s", 12_500, 6.0, (3, 4), 0.06),
    Case("h200_sxm", 23_000, 36.0, (2, 3), 0.05),
)


def crosscheck(out: Path, *, policies: bool = True) -> None:
    """Prints, writes crosscheck.json into `out`, and leaves with the closing line."""
    try:
        interpreter = python()
        results, table = _compare(interpreter), _steer(interpreter) if policies else []
    except NoDynoSim as absent:
        print(f"skipped: {absent}")
        raise SystemExit(0) from None
    out.mkdir(parents=True, exist_ok=True)
    (out / "crosscheck.json").write_text(json.dumps({"comparison": results, "policies": table}, indent=1))
    worst = {
        name: max((abs(row[name] - 1) for row in results), default=0.0)
        for name in ("ttft_p50", "ttft_p90", "tpot_p50", "tpot_p90")
    }
    ok = max(worst["ttft_p50"], worst["tpot_p50"]) <= CENTRE and max(worst["ttft_p90"], worst["tpot_p90"]) <= TAIL
    ratios = {f"{row['case']}_{name}": round(row[name], 3) for row in results for name in worst}
    finish(
        "autoscaling",
        figures={f"worst_{name}": round(value, 3) for name, value in worst.items()},
        ratios=ratios,
        peer=PEER,
        ok=ok,
    )


def _compare(interpreter: Path) -> list[dict[str, Any]]:
    lengths = traces.lengths_of(traces.azure("conv"))
    rows = []
    for case in CASES:
        with tempfile.TemporaryDirectory() as scratch:
            fitted = _fit(case, Path(scratch), interpreter)
            trace = traces.servegen_slice(
                "language_m-small", start=SWING + 1800, hours=0.5, mean_rate=case.rate, lengths=lengths,
                chance=np.random.default_rng(7),
            )  # fmt: skip
            for size in case.sizes:
                theirs = ask(_job(case, trace, Path(scratch), what="static", replicas=size), interpreter)
                ours = _ours(case, trace, fitted, size)
                rows.append(_row(f"{case.system}_{size}", theirs, ours))
    return rows


def _row(name: str, theirs: dict[str, Any], ours: dict[str, list[float]]) -> dict[str, Any]:
    row: dict[str, Any] = {"case": name, "attainment": theirs["attainment"]}
    for metric in ("ttft", "tpot"):
        for label, q in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99)):
            other = float(np.quantile(theirs[f"{metric}_ms"], q))
            mine = 1000 * float(np.quantile(ours[metric], q))
            row[f"{metric}_{label}"] = mine / other
            print(
                f"  {name:14} {metric} {label}: DynoSim {other:8.1f} ms  ours {mine:8.1f} ms  x{mine / other:.3f}",
                flush=True,
            )
    return row


def _ours(case: Case, trace: Sequence[Arrival], step_time: StepTimeModel, size: int) -> dict[str, list[float]]:
    engine = EngineConfig(
        num_blocks=case.kv_blocks + 1, max_num_seqs=SEATS, max_model_len=131_072, enable_prefix_caching=False,
        async_scheduling=False,
    )  # fmt: skip
    variant = FleetVariant("v", engine, step_time, StartUp(90.0, 90.0))
    fleet = Fleet([variant], initial={"v": size}, chance=np.random.default_rng(0), routing="round-robin", exact=True)
    run(fleet, trace, None, Limits(2.0, case.tpot), tick=60.0)
    return {
        "ttft": [seen.ttft for seen in fleet.seen],
        "tpot": [seen.tpot for seen in fleet.seen if seen.arrival.output_tokens > 1],
    }


def _fit(case: Case, scratch: Path, interpreter: Path) -> StepTimeModel:
    """From steps of another trace: Azure's conversation at half to twice the load of a replica."""
    conv = traces.azure("conv")
    factor = max(1, round(case.rate / 5.5))
    trace = traces.overlaid(traces.part(conv, 0.0, 900.0), factor, 900.0, np.random.default_rng(3))
    samples = ask(_job(case, trace, scratch, what="samples", replicas=case.sizes[0]), interpreter)["samples"]
    return fitted(np.array(samples))


def fitted(samples: NDArray[np.float64]) -> StepTimeModel:
    """The step-time model of rows (seconds, prefilling requests, their tokens and past, decoding ones, context); as
    many plain as mixed steps count."""
    chance = np.random.default_rng(0)
    mixed, plain = samples[samples[:, 1] > 0], samples[samples[:, 1] == 0]
    plain = plain[chance.permutation(len(plain))[: len(mixed)]]
    seconds, prefills, tokens, past, decodes, context = np.concatenate((plain, mixed)).T
    share = np.maximum(prefills, 1)
    pairs = (tokens * tokens / 2 + tokens * past) / share
    both = (prefills > 0) & (decodes > 0)

    def model(x: NDArray[np.float64]) -> NDArray[np.float64]:
        read, read_token, compute, compute_token, attention, kv, request, extra, factor = x
        count = tokens + decodes
        linear = np.maximum(read + read_token * count, compute + compute_token * count)
        reading = kv * context * np.where(tokens > 0, factor, 1.0)
        return np.asarray(
            1e-3 * (linear + request * prefills + 1e-3 * attention * pairs + 1e-3 * reading + extra * both),
            dtype=np.float64,
        )

    low = 1000 * float(seconds.min())
    start = [low, 0.02, 0.0, 0.03, 0.001, 0.1, 0.0, low, 1.0]
    bounds = ([0, 0, -low, 0, 0, 0, 0, 0, 0.5], [20 * low, 1, 5 * low, 1, 1, 5, 20, 20 * low, 3])
    found = least_squares(lambda x: np.log(model(x) / seconds), start, bounds=bounds, loss="soft_l1", f_scale=0.05).x
    error = float(np.abs(model(found) / seconds - 1).mean())
    print(f"  step times fitted to {len(seconds)} steps, mean error {error:.1%}", flush=True)
    values = [float(value) for value in found]
    return StepTimeModel(
        read=values[0] * 1e-3,
        read_token=values[1] * 1e-3,
        compute=values[2] * 1e-3,
        compute_token=values[3] * 1e-3,
        attention_pair=values[4] * 1e-6,
        kv_token=values[5] * 1e-6,
        prefill_request=values[6] * 1e-3,
        mixed=values[8],
        mixed_step=values[7] * 1e-3,
    )


PLANNERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("planner arima", {"load_predictor": "arima"}),
    ("planner kalman", {"load_predictor": "kalman"}),
    ("planner constant", {"load_predictor": "constant"}),
    ("planner default", {"optimization_target": "throughput"}),
)


def _steer(interpreter: Path) -> list[dict[str, Any]]:
    """Policies inside DynoSim, on two hours with a swing: GPU-hours against attainment."""
    case = CASES[0]
    lengths = traces.lengths_of(traces.azure("conv"))
    trace = traces.servegen_slice(
        "language_m-small",
        start=SWING,
        hours=2.0,
        mean_rate=case.rate,
        lengths=lengths,
        chance=np.random.default_rng(7),
    )
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        step_time = asdict(_fit(case, Path(scratch), interpreter))
        jobs: list[tuple[str, dict[str, Any]]] = [
            (f"static {size}", {"what": "static", "replicas": size}) for size in (2, 3, 4, 5)
        ]
        jobs += [
            (f"lamplight {fraction}", {"what": "lamplight", "fraction": fraction, "step_time": step_time})
            for fraction in (0.9, 0.95, 0.98)
        ]
        jobs += [(name, {"what": "planner", "config": config}) for name, config in PLANNERS]
        for name, more in jobs:
            try:
                answer = ask(_job(case, trace, Path(scratch), **{"replicas": 3, **more}), interpreter)
            except NoDynoSim as broken:
                print(f"  {name:18} {broken}", flush=True)
                continue
            rows.append({"policy": name, **{key: answer[key] for key in ("attainment", "hours", "actions", "wall")}})
            attained, hours = 100 * answer["attainment"], answer["hours"]
            print(f"  {name:18} {attained:6.2f} %  {hours:6.2f} GPU-h  {answer['actions']} changes", flush=True)
    return rows


def _job(case: Case, trace: Sequence[Arrival], scratch: Path, **more: Any) -> dict[str, Any]:
    path = scratch / f"{len(trace)}.jsonl"
    if not path.exists():
        block = 0
        with path.open("w") as file:
            for each in trace:
                blocks = -(-each.prompt_tokens // traces.MOONCAKE_BLOCK)
                row = {
                    "timestamp": round(each.time * 1000),
                    "input_length": each.prompt_tokens,
                    "output_length": each.output_tokens,
                    "hash_ids": list(range(block, block + blocks)),
                }
                block += blocks
                file.write(json.dumps(row) + "\n")
    return {
        "trace": str(path), "model": MODEL, "system": case.system, "kv_blocks": case.kv_blocks, "seats": SEATS,
        "batched_tokens": 8192, "startup_s": 90.0, "ttft_ms": 2000.0, "tpot_ms": 1000 * case.tpot, "most": 12,
        "router": "round_robin", **more,
    }  # fmt: skip
