"""What `lamp` prints: tables for people; YAML and JSON for scripts, with nothing else on stdout."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click

__all__ = ["age", "age_until", "clean", "note", "print_json", "print_table", "print_yaml", "to_the_second", "to_yaml"]

_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "m"), (1.0, "s"))


def age(timestamp: str | None) -> str:
    """How long ago an ISO 8601 time was, short: 12s, 5m, 3h, 2d; "" for none."""
    return _distance(timestamp, 1.0)


def to_the_second(timestamp: str | None) -> str:
    """An ISO 8601 time without what comes after its seconds; "" for none."""
    return re.sub(r"\.\d+", "", timestamp or "")


def age_until(timestamp: str | None) -> str:
    """The same of a time to come; "now" when it is over."""
    text = _distance(timestamp, -1.0)
    return "now" if text == "0s" else text


def _distance(timestamp: str | None, direction: float) -> str:
    if not timestamp:
        return ""
    try:
        passed = (datetime.now(UTC) - datetime.fromisoformat(timestamp.replace("Z", "+00:00"))).total_seconds()
    except ValueError:
        return timestamp
    seconds = passed * direction
    for size, letter in _UNITS:
        if seconds >= size or size == 1.0:
            return f"{max(0, int(seconds // size))}{letter}"
    return ""


def clean(value: object) -> str:
    """A cell: one line, and no control characters, which a terminal would obey."""
    return _printable(value).strip()


def _printable(value: object) -> str:
    if value is None:
        return ""
    text = ("true" if value else "false") if isinstance(value, bool) else str(value)
    return "".join(char if char.isprintable() else " " for char in text)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Leading blanks of a cell stay: they are the depth of a tree."""
    cells = [[_printable(value).rstrip() for value in row] for row in rows]
    widths = [
        max(len(title), *(len(row[i]) for row in cells)) if cells else len(title) for i, title in enumerate(titles)
    ]
    for row in (list(titles), *cells):
        click.echo("   ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip())


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def to_yaml(value: Any) -> str:
    """YAML for people: text of several lines stands as it is, not as one line with escapes."""
    import yaml

    return str(
        yaml.dump(value, Dumper=_dumper(), sort_keys=False, allow_unicode=True, default_flow_style=False, width=110)
    )


@functools.cache
def _dumper() -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        """Its own class, because representers belong to a class."""

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value.strip("\n") else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper


def print_yaml(value: Any) -> None:
    click.echo(to_yaml(value), nl=False)


def note(text: str) -> None:
    """For people only: stderr."""
    click.echo(text, err=True)
