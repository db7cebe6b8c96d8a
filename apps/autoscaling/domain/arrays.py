"""Arithmetic that is written once, for one row and for thousands.

numpy takes as long for one number as for a hundred, and twenty times as long as Python for its own. So where a batch
has one row, `lone` gives figures of rows, (rows,), as plain floats, and formulas go through the functions here, which
do with a float what numpy does with an array, to the same bits. They look at their first argument to tell which it is:
that is the one that differs from row to row. Types say `Figures`, or `Floats`, of both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Figures",
    "anywhere",
    "at",
    "beside",
    "ceil",
    "clipped",
    "column",
    "columns",
    "each",
    "exp",
    "expm1",
    "faded",
    "finite",
    "floor",
    "known",
    "larger",
    "listed",
    "log",
    "log1p",
    "lone",
    "mean",
    "no",
    "only",
    "power",
    "rows_of",
    "smaller",
    "sqrt",
    "table",
    "where",
]

Floats = NDArray[np.float64]
# of rows: an array (rows,), or the plain number where there is one row
Figures: TypeAlias = Any
Bools = NDArray[np.bool_]

_sum = np.add.reduce


def lone(values: Any) -> Any:
    """Figures of rows (rows,): the plain number where there is one row."""
    return values.item() if isinstance(values, np.ndarray) and len(values) == 1 else values


def columns(table: Floats) -> Sequence[Floats]:
    """The columns of a table (rows, k), each as figures of rows."""
    return table[0].tolist() if len(table) == 1 else list(np.ascontiguousarray(table.T))


def at(values: Any, places: Any) -> Any:
    """Figures of the rows at `places` among figures of rows."""
    if isinstance(values, np.ndarray):
        return values.item() if len(values) == len(places) == 1 else lone(values[places])
    return values if len(places) == 1 else np.full(len(places), values)


def each(table: Floats, places: Any) -> Floats:
    """The rows at `places`, which go up, of a table (rows, k)."""
    return table if len(places) == len(table) else table[places]


def no(these: Any) -> Any:
    """Whether not."""
    return ~these if isinstance(these, np.ndarray) else not these


def beside(figures: Sequence[Any]) -> Any:
    """What a table (rows, k) is filled with, by its columns: undoes `columns`."""
    return figures if isinstance(figures[0], float) else np.stack(figures, axis=1)


def table(figures: Sequence[Any]) -> Floats:
    """The table (rows, k) with these columns."""
    return np.array([figures]) if isinstance(figures[0], float) else np.stack(figures, axis=1)


def rows_of(values: Any) -> Any:
    """The array (rows,) of figures of rows: undoes `lone`."""
    return values if isinstance(values, np.ndarray) else np.array([values])


def listed(values: Any) -> list[Any]:
    """Figures of rows one by one."""
    return values.tolist() if isinstance(values, np.ndarray) else [values]


def column(values: Any) -> Floats:
    """Figures of rows, lone or not, beside tables (rows, k)."""
    if isinstance(values, np.ndarray):
        return values.reshape(()) if len(values) == 1 else values[:, None]
    return np.array(values)


def mean(share: Any, values: Any) -> Any:
    """Weighted sums (rows, k) of each row, as figures of rows."""
    return lone(_sum(share * values, axis=1))


def anywhere(these: Any) -> bool:
    """Whether any is true, or not 0."""
    return bool(np.count_nonzero(these)) if isinstance(these, np.ndarray) else bool(these)


def larger(values: Any, other: Any) -> Any:
    """As numpy.maximum."""
    if isinstance(values, float):
        return values if values >= other or values != values else other
    return np.maximum(values, other)


def smaller(values: Any, other: Any) -> Any:
    """As numpy.minimum."""
    if isinstance(values, float):
        return values if values <= other or values != values else other
    return np.minimum(values, other)


def clipped(values: Any, low: Any, high: Any) -> Any:
    """As numpy.clip, which takes five times as long on a few numbers."""
    if isinstance(values, float):
        values = values if values >= low or values != values else low
        return values if values <= high or values != values else high
    return np.minimum(np.maximum(values, low), high)


def where(these: Any, values: Any, others: Any) -> Any:
    """As numpy.where."""
    if isinstance(these, np.ndarray):
        return np.where(these, values, others)
    return values if these else others


def _plain(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of numpy that gives a plain number for one: NaN and infinity go through as they do in arrays."""

    def applied(values: Any) -> Any:
        return float(function(values)) if isinstance(values, float) else function(values)

    return applied


exp, expm1, log, log1p = _plain(np.exp), _plain(np.expm1), _plain(np.log), _plain(np.log1p)
floor, ceil, sqrt = _plain(np.floor), _plain(np.ceil), _plain(np.sqrt)


def power(values: Any, exponent: float) -> Any:
    """As numpy.power, whose last bit is not Python's."""
    return float(np.power(values, exponent)) if isinstance(values, float) else np.power(values, exponent)


@lru_cache(maxsize=4096)
def _faded(seconds: float, time: float) -> float:
    return math.exp(-seconds / time)


def faded(seconds: Any, time: float) -> Any:
    """What is left after `seconds`, figures of rows, of what is forgotten over `time`. There are few different ones."""
    if isinstance(seconds, float):
        return _faded(seconds, time)
    return np.array([_faded(each, time) for each in seconds.tolist()])


def finite(values: Any) -> Any:
    """As numpy.isfinite."""
    return math.isfinite(values) if isinstance(values, float) else np.isfinite(values)


def only(these: Any, values: Any) -> Any:
    """`values`, figures or tables of rows, in the rows that are meant; 0 in others."""
    if these is True:
        return values
    return values * (these[:, None] if isinstance(these, np.ndarray) and values.ndim == 2 else these)


def known(values: Any) -> Any:
    """Nothing where it is not known (NaN)."""
    if isinstance(values, float):
        return values if values == values else 0.0
    return np.where(np.isnan(values), 0.0, values)
