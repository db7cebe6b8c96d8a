"""Scheduling as llm-d's endpoint picker does it: a configuration in, a replica and a reason out.

Pure: the embedded gateway executes it in real time, the fleet simulator in virtual time, and whoever renders a
configuration can have it checked (`read_config`). Formulas: llm-d's scheduler plugins, releases 0.5 and current.
"""

from apps.physics.routing.config import PickerConfig, default_document, read_config
from apps.physics.routing.explain import explain, sentence
from apps.physics.routing.parameters import ConfigError
from apps.physics.routing.scheduler import Decision, Refused, Scheduler
from apps.physics.routing.types import Adapters, Candidate, Chance, Endpoint, Load, Prompt, Request

__all__ = [
    "Adapters",
    "Candidate",
    "Chance",
    "ConfigError",
    "Decision",
    "Endpoint",
    "Load",
    "PickerConfig",
    "Prompt",
    "Refused",
    "Request",
    "Scheduler",
    "default_document",
    "explain",
    "read_config",
    "sentence",
]
