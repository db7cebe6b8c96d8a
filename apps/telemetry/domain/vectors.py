"""An answer of Prometheus taken apart without decoding it: what a series is called is said in every tick anew, and is
known by its bytes as they came. A thousand pools have a quarter of a million series, each some two hundred bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Columns", "columns"]

_HEAD = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":'
_NEXT = b'"]},{"metric":'
_TAIL = b'"]}]}}'
_NOTHING = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
_MOMENT = re.compile(rb'\},"value":\[([0-9.e+]+),"')


@dataclass(frozen=True, slots=True)
class Columns:
    """The series of an instant query: labels as JSON, and values, at `at` (Unix seconds)."""

    labels: list[bytes]
    values: list[float]
    at: float


def columns(answer: bytes) -> Columns | None:
    """The series of an instant query's answer; None where it does not look as Prometheus writes it, and has to be
    decoded (other spaces, native histograms, several moments, an error). Labels may still be no JSON then."""
    if answer == _NOTHING:
        return Columns([], [], 0.0)
    first = _MOMENT.search(answer)
    if first is None or not answer.startswith(_HEAD) or not answer.endswith(_TAIL):
        return None
    # nothing within a text of JSON looks like these: its quotation marks are escaped
    before, *values = answer[len(_HEAD) : -len(_TAIL)].split(b',"value":[%b,"' % first[1])
    labels, numbers = [before], []
    for between in values[:-1]:
        value, found, following = between.partition(_NEXT)
        if not found:
            return None
        labels.append(following)
        numbers.append(value)
    numbers.append(values[-1])
    try:
        return Columns(labels, list(map(float, numbers)), float(first[1]))
    except ValueError:
        return None
