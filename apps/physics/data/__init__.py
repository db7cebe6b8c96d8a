"""Measured and published numbers; each file names its source."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any


@functools.cache
def read(name: str) -> dict[str, Any]:
    """One data file, parsed."""
    return json.loads(resources.files(__name__).joinpath(name).read_text(encoding="utf-8"))
