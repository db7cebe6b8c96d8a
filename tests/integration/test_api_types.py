"""The console's types of the API are those of the schema that the server has now."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from django.core.management import call_command

TYPES = Path(__file__).resolve().parents[2] / "frontend" / "src" / "api" / "schema.d.ts"


def test_types_of_the_console_are_of_this_schema(tmp_path: Path):
    schema = tmp_path / "openapi.json"
    call_command("spectacular", format="openapi-json", file=str(schema))
    made_of = re.search(r"schema-sha256: ([0-9a-f]{64})", TYPES.read_text())
    assert made_of, f"{TYPES} was not made by `make schema`"
    now = hashlib.sha256(schema.read_bytes()).hexdigest()
    assert made_of[1] == now, "the API has changed since the console's types were made: run `make schema`"
