"""What a real vLLM said, kept as data, so that the simulator is held to it where none is installed.

`RECORD=1 make test-vllm VLLM_PYTHON=...` writes it anew; without RECORD the real engine is held to it as well. Where
the simulator is known to differ, `differences.json` says in what and why; one that has gone is to be taken out.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

VERSION = "0.32"
FILE = Path(__file__).with_name(f"recorded-{VERSION}.json")
DIFFERENCES = Path(__file__).with_name("differences.json")


def hold(engine: str, topic: str, said: dict[str, Any]) -> None:
    """AssertionError where `engine` ("real" or "simulated") says something else than is recorded."""
    # tuples become lists, keys become text
    said = json.loads(json.dumps(said))
    if engine == "real":
        if os.environ.get("RECORD"):
            _write(topic, said)
        _equal(topic, said, recorded(topic), {})
        return
    _equal(topic, said, recorded(topic), json.loads(DIFFERENCES.read_text()).get(topic, {}))


def _equal(topic: str, said: dict[str, Any], kept: dict[str, Any], differences: dict[str, str]) -> None:
    for name in sorted({*said, *kept}):
        here, there = said.get(name), kept.get(name)
        if name in differences:
            assert here != there, f"{topic}: {name} does not differ any more: take it out of {DIFFERENCES.name}"
        elif isinstance(here, list) and isinstance(there, list) and len(here) > 20:
            # what is long is told by what differs
            assert (_less(here, there), _less(there, here)) == ([], []), f"{topic}: {name}"
        else:
            assert here == there, f"{topic}: {name}"
    assert set(differences) <= set(said) | set(kept), f"{topic}: {DIFFERENCES.name} knows more than was asked"


def _less(one: list[Any], other: list[Any]) -> list[Any]:
    return [each for each in one if each not in other]


def recorded(topic: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())[topic]
    return found


def _write(topic: str, said: dict[str, Any]) -> None:
    kept = json.loads(FILE.read_text()) if FILE.exists() else {}
    kept[topic] = said
    FILE.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
