"""Runs inside DynoSim's environment: one job as JSON on standard input, one JSON answer as the last line.

job: {"trace", "system", "kv_blocks", "seats", "startup_s", "ttft_ms", "tpot_ms", "replicas", "most", "what", ...}
what: "static" | "samples" (step times beside it) | "lamplight" (the production decide) | "planner" (NVIDIA's own).
"""

from __future__ import annotations

import json
import logging
import math
import os
import sys
import tempfile
import time
from typing import Any

os.environ.setdefault("DYN_LOG", "error")
logging.disable(logging.WARNING)

from dynamo._core import run_mocker_trace_replay  # noqa: E402
from dynamo.replay import run_trace_replay  # noqa: E402

BLOCK = 16


def main() -> None:
    job = json.loads(sys.stdin.read())
    start = time.perf_counter()
    if job["what"] == "planner":
        report, actions, extra = _planner(job)
    else:
        policy = {"static": Fixed, "samples": Sampler, "lamplight": Lamplight}[job["what"]](job)
        report = run_mocker_trace_replay(
            [job["trace"]],
            extra_engine_args=_engine(job),
            num_workers=job["replicas"],
            scaling_policy=policy,
            **_common(job),
        )
        actions, extra = policy.actions, policy.extra()
    print(json.dumps(_answer(job, report, actions, time.perf_counter() - start) | extra))


def _engine(job: dict[str, Any]) -> dict[str, Any]:
    timing = {"model": job["model"], "backend": "vllm", "system": job["system"], "tp": 1, "worker_type": "aggregated"}
    engine = {
        "backend": "vllm",
        "block_size": BLOCK,
        "num_gpu_blocks": job["kv_blocks"],
        "max_num_seqs": job["seats"],
        "max_num_batched_tokens": job["batched_tokens"],
        "timing_model": {"type": "external", "provider": "ais", "config": timing},
    }
    return {"engine": engine, "startup_time": job["startup_s"]}


def _common(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "router_mode": job["router"],
        "sla_ttft_ms": job["ttft_ms"],
        "sla_itl_ms": job["tpot_ms"],
        "trace_format": "mooncake",
        "capture_per_request": True,
    }


def _planner(job: dict[str, Any]) -> tuple[Any, int, dict[str, Any]]:
    config = {
        "mode": "agg",
        "optimization_target": "sla",
        "ttft_ms": job["ttft_ms"],
        "itl_ms": job["tpot_ms"],
        "enable_throughput_scaling": True,
        "enable_load_scaling": True,
        "throughput_adjustment_interval_seconds": 180,
        "load_adjustment_interval_seconds": 10,
        "prefill_engine_num_gpu": 1,
        "decode_engine_num_gpu": 1,
        "min_endpoint": 1,
        "max_gpu_budget": job["most"],
        "max_throughput_scaling_replicas": job["most"],
    } | job["config"]
    with tempfile.TemporaryDirectory() as scratch:
        report = run_trace_replay(
            job["trace"],
            extra_engine_args=_engine(job),
            num_workers=job["replicas"],
            planner_config={"report_output_dir": scratch} | config,
            **_common(job),
        )
    return report, len(report.planner.scaling_events), {}


def _answer(job: dict[str, Any], report: Any, actions: int, wall: float) -> dict[str, Any]:
    summary, requests = report.summary, report.per_request
    met = sum(
        1
        for each in requests
        if each["ttft_ms"] is not None
        and each["ttft_ms"] <= job["ttft_ms"]
        and (each["itl_ms"] or 0.0) <= job["tpot_ms"]
    )
    return {
        "hours": summary["gpu_hours"],
        "attainment": met / max(1, summary["num_requests"]),
        "ttft_ms": [each["ttft_ms"] for each in requests if each["ttft_ms"] is not None],
        "tpot_ms": [each["itl_ms"] for each in requests if each["itl_ms"]],
        "actions": actions,
        "wall": wall,
    }


class Fixed:
    """As many replicas as at the beginning."""

    period = 60.0

    def __init__(self, job: dict[str, Any]) -> None:
        self.job, self.actions = job, 0

    def initial_tick_ms(self) -> float:
        return self.period * 1000

    def on_tick(self, raw: dict[str, Any]) -> dict[str, Any]:
        wanted = self.wanted(raw)
        if wanted is not None and wanted != raw["non_draining_decode_count"]:
            self.actions += 1
        else:
            wanted = None
        return {"target_prefill": None, "target_decode": wanted, "next_tick_ms": raw["now_ms"] + self.period * 1000}

    def wanted(self, raw: dict[str, Any]) -> int | None:
        return None

    def extra(self) -> dict[str, Any]:
        return {}


class Sampler(Fixed):
    """Takes down what each worker's latest step computed and how long it took."""

    period = 0.25
    FIELDS = (
        "wall_time", "num_prefill_requests", "sum_prefill_tokens", "sum_prefill_kv_tokens", "num_decode_requests",
        "sum_decode_kv_tokens",
    )  # fmt: skip

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(job)
        self.seen: set[tuple[float, ...]] = set()

    def wanted(self, raw: dict[str, Any]) -> int | None:
        self.seen.update(tuple(each[name] for name in self.FIELDS) for each in raw["decode_fpm_snapshots"])
        return None

    def extra(self) -> dict[str, Any]:
        return {"samples": sorted(each for each in self.seen if each[0] > 0)}


class Lamplight(Fixed):
    """The production decide(), fed with what DynoSim tells: averages, no distributions."""

    period = 10.0

    def __init__(self, job: dict[str, Any]) -> None:
        super().__init__(job)
        from apps.autoscaling.domain.types import Objective, Policy, State, VariantPolicy
        from apps.physics.steptime import StepTimeModel

        fraction = job["fraction"]
        objectives = (
            Objective("ttft", job["ttft_ms"] / 1000, fraction),
            Objective("tpot", job["tpot_ms"] / 1000, fraction),
        )
        variant = VariantPolicy(
            "v", 1, job["most"], 1.0, StepTimeModel(**job["step_time"]), job["kv_blocks"] * BLOCK,
            max_num_seqs=job["seats"], max_num_batched_tokens=job["batched_tokens"], startup=job["startup_s"],
        )  # fmt: skip
        self.policy, self.state = Policy(objectives, (variant,), tick=self.period), State()
        self.starting: list[float] = []
        self.flight = 0.0

    def wanted(self, raw: dict[str, Any]) -> int | None:
        from apps.autoscaling.domain.decide import decide

        now = raw["now_ms"] / 1000
        decision = decide(self.policy, self.signals(raw, now), self.state, now)
        self.state = decision.state
        return max(1, decision.total)

    def signals(self, raw: dict[str, Any], now: float) -> Any:
        from apps.autoscaling.domain.types import (
            Distribution,
            Known,
            NoTraffic,
            Pending,
            Replicas,
            Signals,
            VariantSignals,
        )
        from apps.telemetry.domain.histogram import Histogram

        traffic = raw.get("traffic") or {}
        workers = raw["decode_fpm_snapshots"]
        count = raw["starting_decode_count"]
        grown = max(0, count - len(self.starting))
        self.starting = (self.starting + [now] * grown)[-count:] if count else []
        arrived = float(traffic.get("num_req") or 0)
        shapes = float(traffic.get("shape_count") or 0)
        prompt, output = float(traffic.get("avg_isl") or 0), float(traffic.get("avg_osl") or 0)
        hit = float(traffic.get("avg_kv_hit_rate") or 0)
        running = float(sum(each["num_decode_requests"] + each["num_prefill_requests"] for each in workers))
        waiting = float(sum(each["num_queued_prefill"] + each["num_queued_decode"] for each in workers))
        finished = max(0.0, arrived + self.flight - running - waiting)
        self.flight = running + waiting

        def around(value: float, times: float) -> Any:
            if times <= 0 or not math.isfinite(value) or value <= 0:
                return NoTraffic()
            return Distribution(Histogram({(value * 0.999, value * 1.001): times}), value * times)

        held = [each["sum_decode_kv_tokens"] + each["sum_prefill_kv_tokens"] for each in workers]
        usage = sum(min(1.0, one / (self.job["kv_blocks"] * BLOCK)) for one in held) / max(1, len(held))
        variant = VariantSignals(
            "v",
            Replicas(
                raw["non_draining_decode_count"],
                raw["active_decode_count"],
                tuple(Pending(now - since) for since in self.starting),
                raw["draining_decode_count"],
            ),
            finished=Known(finished),
            prompt_tokens=Known(arrived * prompt),
            cached_tokens=Known(arrived * prompt * hit),
            generated_tokens=Known(finished * output),
            running=Known(running),
            waiting=Known(waiting),
            kv_usage=Known(usage),
            prompt_lengths=around(prompt, shapes),
            output_lengths=around(output, shapes),
            itl=around(float(traffic.get("avg_itl_ms") or 0) / 1000, float(traffic.get("itl_count") or 0)),
        )
        seconds = float(traffic.get("duration_s") or self.period)
        return Signals(seconds, (variant,), arrived=Known(arrived), queued=Known(0.0), queued_tokens=Known(0.0))


if __name__ == "__main__":
    main()
