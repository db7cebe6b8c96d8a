"""The console's types of the API are those of the schema that the server has now."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command

SUMS = Path(__file__).resolve().parents[2] / "frontend" / "src" / "api" / "schema.sums"


def test_types_of_the_console_are_of_this_schema(tmp_path: Path):
    schema = tmp_path / "openapi.json"
    call_command("spectacular", format="openapi-json", file=str(schema))
    made_of = dict(line.rsplit(" ", 1) for line in SUMS.read_text().splitlines())
    now = _sums(json.loads(schema.read_bytes(), parse_float=_as_javascript))
    changed = sorted(name for name in made_of.keys() | now.keys() if made_of.get(name) != now.get(name))
    assert not changed, f"the API has changed since the console's types were made, run `make schema`: {changed[:20]}"


def _sums(schema: dict[str, Any]) -> dict[str, str]:
    """What frontend/codegen/generate.mjs writes, from the schema of now."""
    parts = {"paths": schema["paths"], **schema["components"]}
    return {f"{place} {name}": _digest(one) for place, members in parts.items() for name, one in members.items()}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _as_javascript(number: str) -> float:
    """Node writes 1.0 as 1."""
    return int(float(number)) if float(number).is_integer() else float(number)
