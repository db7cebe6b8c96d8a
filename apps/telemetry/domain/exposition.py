"""Reading the Prometheus text format, line by line.

Agreement with `prometheus_client.parser` on recorded pages is a test; `pages` reads whole pages by the block.
Format: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format 0.0.4).
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from dataclasses import dataclass

__all__ = ["ExpositionError", "Series", "parse", "parse_line"]

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
# labels as exporters write them: no blanks around them, nothing escaped
_PLAIN = re.compile(r'(?:[a-zA-Z_][a-zA-Z0-9_]*="[^"\\]*",?)*')
_PLAIN_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="([^"\\]*)"')
_ESCAPE = re.compile(r"\\(.)")
_UNESCAPED = {"n": "\n", '"': '"', "\\": "\\"}


class ExpositionError(ValueError):
    """The page is not the text format, or larger than a page may be; the message is a sentence with the line number."""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a page: `value` in the metric's own unit."""

    name: str
    labels: dict[str, str]
    value: float


def parse(text: str, wanted: Container[str] | None = None, *, max_series: int = 20_000) -> Iterator[Series]:
    """Yield the series whose name is in `wanted` (all when None), in the page's order.

    Raises ExpositionError on a malformed line of a wanted metric and beyond `max_series` wanted lines.
    """
    found = 0
    for number, line in enumerate(text.split("\n"), start=1):
        try:
            series = parse_line(line, wanted)
        except ValueError:
            raise ExpositionError(
                f"Line {number} is not a metric in the Prometheus text format: {line.strip()[:80]!r}."
            ) from None
        if series is None:
            continue
        found += 1
        if found > max_series:
            raise ExpositionError(f"The page has more than {max_series} series of the metrics that are read.")
        yield series


def parse_line(line: str, wanted: Container[str] | None = None) -> Series | None:
    """One line; None for a comment, an empty line and a metric that is not wanted. Raises ValueError when malformed."""
    line = line.strip()
    if not line or line[0] == "#":
        return None
    brace = line.find("{")
    name = line[:brace] if brace >= 0 else line.split(None, 1)[0]
    name = name.rstrip()
    if wanted is not None and name not in wanted:
        return None
    if brace >= 0:
        end = _labels_end(line, brace)
        labels, rest = _labels(line[brace + 1 : end]), line[end + 1 :]
    else:
        labels, rest = {}, line[len(name) :]
    values = rest.split()
    if not values:
        raise ValueError(line)
    return Series(name, labels, float(values[0]))


def _labels_end(line: str, brace: int) -> int:
    end = line.rindex("}")
    # label values may hold braces, what follows the labels never does: the last brace closes them
    if end < brace:
        raise ValueError(line)
    return end


def _labels(body: str) -> dict[str, str]:
    if _PLAIN.fullmatch(body):
        return dict(_PLAIN_LABEL.findall(body))
    labels: dict[str, str] = {}
    at = 0
    while body[at:].strip():
        match = _LABEL.match(body, at)
        if match is None:
            raise ValueError(body)
        value = match[2]
        labels[match[1]] = _ESCAPE.sub(lambda m: _UNESCAPED.get(m[1], "\\" + m[1]), value) if "\\" in value else value
        at = match.end()
    return labels
