"""The same runs in virtual time. All results in ms unless a name says otherwise."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.physics import Engine, Request, StepTimeModel
from apps.physics.frontend import Frontend, FrontendModel
from apps.physics.virtual import Seen, Session, play
from bench.engine_fidelity.measured import ENGINE, Replay

FOREVER = float("inf")

MS, US, NS = 1e-3, 1e-6, 1e-9
# Parameters by the names and units of apps/physics/data/step-times.json, with seconds per unit.
STEP_TIME = {
    "read": MS, "read_token": US, "compute": MS, "compute_token": US, "attention_pair": NS, "kv_token": NS,
    "prefill_request": MS, "mixed": 1.0, "mixed_step": MS, "decode_pair": NS,
}  # fmt: skip
FRONTEND = {"latency": MS, "request": MS, "prompt_token": US, "token": US}
PARAMETERS = (*STEP_TIME, *FRONTEND)


@dataclass(frozen=True)
class Simulator:
    """An engine with these times behind this frontend."""

    step_time: StepTimeModel
    frontend: FrontendModel

    def _session(self, gaps: list[float] | None = None) -> Session:
        return Session(Engine(ENGINE, self.step_time), Frontend(self.frontend), gaps=gaps)

    def prefill(self, prompt: int) -> float:
        """TTFT of one request alone."""
        return play(Engine(ENGINE, self.step_time), self.frontend, [Request("0", 0.0, prompt, (), 1)])[0].ttft * 1e3

    def cached(self, prompt: int) -> float:
        """TTFT of a prompt that the engine has just served."""
        engine = Engine(replace(ENGINE, enable_prefix_caching=True), self.step_time)
        hashes = range(prompt // ENGINE.block_size)
        requests = [Request(str(turn), turn * 100.0, prompt, hashes, 1) for turn in range(2)]
        return play(engine, self.frontend, requests)[1].ttft * 1e3

    def poisson(self, row: dict[str, Any], seed: int) -> dict[str, float]:
        """One draw of a measured window: a Poisson process that is known to have brought `sent` arrivals, the last at
        `arr_s`. Beside the statistics of a row: the engine's gauges then (`running`, `waiting`, `kv_usage`), `drain_s`
        until the last answer was there, and `itl_p50`."""
        draw = random.Random(seed)
        gaps: list[float] = []
        session = self._session(gaps)
        end = row["arr_s"]
        for index, arrival in enumerate(sorted([*(draw.uniform(0, end) for _ in range(row["sent"] - 1)), end])):
            session.send(Request(str(index), arrival, row["inp"], (), row["out"]))
        while session.now < end:
            session.run_until(end)
        gauges = session.engine.gauges()
        while session.run_until(FOREVER):
            pass
        views = list(session.seen.values())
        return summary(views) | {
            "running": float(gauges.running),
            "waiting": float(gauges.waiting),
            "kv_usage": gauges.kv_usage,
            "drain_s": max(view.last for view in views) - end,
            "itl_p50": float(np.median(gaps)) * 1e3,
        }

    def closed(self, row: dict[str, Any]) -> dict[str, float]:
        """`c` clients, each sending its next request when it has the last token, until `n` requests are done."""
        gaps: list[float] = []
        session = self._session(gaps)
        sent, last = 0, 0.0

        def send(at: float) -> None:
            nonlocal sent
            session.send(Request(str(sent), at, row["inp"], (), row["out"]))
            sent += 1

        for _ in range(row["c"]):
            send(0.0)
        while ended := session.run_until(FOREVER):
            for view in ended:
                last = max(last, view.last)
                if sent < row["n"]:
                    send(view.last)
        views = list(session.seen.values())
        return summary(views) | {"rps": len(views) / last, "itl_p50": float(np.median(gaps)) * 1e3}

    def replay(self, trace: Replay) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """TTFT and TPOT of each request of the trace, in its order; TPOT is NaN for a single token."""
        columns = zip(trace.arrival, trace.prompt, trace.output, strict=True)
        requests = [Request(str(i), float(t), int(n), (), int(out)) for i, (t, n, out) in enumerate(columns)]
        views = play(Engine(ENGINE, self.step_time), self.frontend, requests)
        return _ttft(views), _tpot(views)


def simulator_of(values: Mapping[str, float]) -> Simulator:
    """The simulator with these parameters, in the data file's units."""
    return Simulator(
        StepTimeModel(**{name: values[name] * unit for name, unit in STEP_TIME.items()}),
        FrontendModel(**{name: values[name] * unit for name, unit in FRONTEND.items()}),
    )


def summary(views: list[Seen]) -> dict[str, float]:
    """The statistics that a measured row has."""
    ttft, tpot = _ttft(views), _tpot(views)
    return {
        "ttft_mean": float(ttft.mean()),
        "ttft_p50": float(np.percentile(ttft, 50)),
        "ttft_p90": float(np.percentile(ttft, 90)),
        "tpot_mean": float(np.nanmean(tpot)),
        "tpot_p90": float(np.nanpercentile(tpot, 90)),
    }


def _ttft(views: list[Seen]) -> NDArray[np.float64]:
    return np.array([view.ttft * 1e3 for view in views])


def _tpot(views: list[Seen]) -> NDArray[np.float64]:
    return np.array([np.nan if view.tpot is None else view.tpot * 1e3 for view in views])
