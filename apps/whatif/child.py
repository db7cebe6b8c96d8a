"""A simulation in a process of its own: it computes for seconds, and a worker's threads have better things to do.

    python -m apps.whatif.child < plan

Reads a pickled Plan (of this very program, from its parent), writes one JSON line for each step forward, and a last one
with the result or the reason why there is none.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from typing import Any

from apps.whatif.domain.simulation import simulate

_STEP = 0.02


def main() -> None:
    os.nice(10)
    plan = pickle.load(sys.stdin.buffer)  # noqa: S301  our own parent wrote it
    said = -1.0

    def told(progress: float) -> None:
        nonlocal said
        if progress - said >= _STEP:
            said = progress
            _say({"progress": round(progress, 4)})

    try:
        _say({"result": simulate(plan, told)})
    except ValueError as error:
        _say({"error": str(error)})


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
