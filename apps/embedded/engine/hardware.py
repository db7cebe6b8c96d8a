"""How fast the simulated accelerators are, by what apps.physics knows of the model and of them."""

from __future__ import annotations

from apps.embedded.engine.domain.settings import EngineSettings
from apps.physics import catalogue, coldstart
from apps.physics.catalogue import ModelSize, Timing


def timing(settings: EngineSettings) -> Timing:
    """Step times of the model on its accelerators. Raises ValueError for an accelerator without data."""
    shape = settings.shape
    size = ModelSize(shape.parameters, shape.layers, shape.weight_bytes(), shape.kv_bytes_per_token())
    return catalogue.step_time_for(size, settings.accelerator, settings.accelerators)


def startup_seconds(settings: EngineSettings) -> float:
    """Model seconds from launch to the first healthy answer; a pod begins with an empty compile cache."""
    if settings.startup is not None:
        return settings.startup * settings.time_scale
    return coldstart.cold_start_seconds(eager=settings.eager)
