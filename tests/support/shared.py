"""Files of the shared reference folder (third-party facts, traces, measurements), which a checkout may not have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def shared_file(name: str) -> Path:
    """The path of `name` in the shared folder (env LAMPLIGHT_SHARED, else ../shared); skips the test without it."""
    path = Path(os.environ.get("LAMPLIGHT_SHARED", ROOT.parent / "shared")) / name
    if not path.exists():
        pytest.skip(f"{path} is not there; set LAMPLIGHT_SHARED to the folder that has {name}")
    return path
