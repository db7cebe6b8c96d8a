"""What the benchmarks share: where the reference data lies, and the closing line that scripts read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

PROJECT = Path(__file__).resolve().parents[1]


def shared(*parts: str) -> Path:
    """A file of the reference data (default `../shared`); leaves with a sentence where absent."""
    root = Path(os.environ.get("LAMPLIGHT_SHARED", PROJECT.parent / "shared"))
    path = root.joinpath(*parts)
    if not path.exists():
        print(f"skipped: {path} is not there; set LAMPLIGHT_SHARED to the folder with the reference data")
        sys.exit(0)
    return path


def finish(bench: str, *, figures: Mapping[str, object], ratios: Mapping[str, float], peer: str, ok: bool) -> NoReturn:
    """Print the closing line, one JSON object, and leave: 0 when the claim holds, 1 when not.

    figures: measured values, unit in the name. ratios: ours against the limit or peer of the same run.
    """
    print(json.dumps({"bench": bench, "figures": dict(figures), "ratios": dict(ratios), "peer": peer, "ok": ok}))
    sys.exit(0 if ok else 1)
