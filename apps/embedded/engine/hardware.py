"""How fast the simulated accelerator is: step times, start-up and what the HTTP server costs."""

from __future__ import annotations

from apps.embedded.engine.domain.settings import EngineSettings
from apps.physics import StepTimeModel
from apps.physics.frontend import FrontendModel


def step_time(settings: EngineSettings) -> StepTimeModel:
    return StepTimeModel(
        read=4.6e-3, read_token=1e-5, compute=2e-3, compute_token=2.35e-5, attention_pair=0.8e-9, kv_token=2.9e-8
    )


def frontend(settings: EngineSettings) -> FrontendModel:
    return FrontendModel(latency=0.008)


def cold_start_seconds(settings: EngineSettings) -> float:
    return 95.0
