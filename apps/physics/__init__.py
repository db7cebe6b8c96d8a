"""How a vLLM engine behaves in time: pure functions and state machines, no clock, no I/O.

The caller owns time: the engine simulator drives `Engine` in real time, benchmarks and what-if in virtual time.
"""

from apps.physics.engine import Engine
from apps.physics.steptime import StepLoad, StepTimeModel
from apps.physics.types import (
    BlockEvent,
    BlocksCleared,
    BlocksRemoved,
    BlocksStored,
    ChunkStored,
    Counters,
    EngineBusy,
    EngineConfig,
    Finish,
    Finished,
    Gauges,
    Request,
    Source,
    StepPlan,
    StepResult,
)

__all__ = [
    "BlockEvent",
    "BlocksCleared",
    "BlocksRemoved",
    "BlocksStored",
    "ChunkStored",
    "Counters",
    "Engine",
    "EngineBusy",
    "EngineConfig",
    "Finish",
    "Finished",
    "Gauges",
    "Request",
    "Source",
    "StepLoad",
    "StepPlan",
    "StepResult",
    "StepTimeModel",
]
