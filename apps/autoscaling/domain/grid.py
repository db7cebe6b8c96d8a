"""Curves over the load of a replica, tabulated at LOADS, and how they are read.

Tables are (rows, GRID); loads are work a second of a replica.
"""

from __future__ import annotations

import math
from bisect import bisect_left

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import clipped, larger, smaller

__all__ = ["GRID", "LOADS", "convex", "inverse", "look_up", "look_up_all", "resampled"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GRID = 18
# loads (work a second of a replica) at which curves are tabulated
LOADS: Floats = np.concatenate([np.linspace(0.05, 0.9, GRID - 3), [0.95, 1.0, 1.1]])
_TINY = 1e-12
_WIDTHS: Floats = np.diff(LOADS)
_PER_WIDTH: Floats = 1.0 / _WIDTHS
# what is read of one row is read with plain numbers up to so many of them
_FEW = 20
_PLAIN_LOADS: list[float] = LOADS.tolist()
_PLAIN_PER_WIDTH: list[float] = _PER_WIDTH.tolist()
_INNER, _LEAST = _PLAIN_LOADS[1:-1], _PLAIN_LOADS[0]
# LOADS are found by cells of equal width, in each of which is one of them at most, and none on an edge
_CELLS, _HIGHEST = np.array(38.5), np.array(1.2)
_LOWEST = np.array(LOADS[0])
_CELL_FROM: Ints = LOADS[1:-1].searchsorted(np.arange(math.ceil(_HIGHEST * _CELLS)) / _CELLS)
_CELL_EDGE: Floats = np.append(LOADS[1:-1], np.inf)[_CELL_FROM]


def resampled(load: Floats, tables: tuple[Floats, ...]) -> Floats:
    """Tables (rows, GRID) that stand at `load` (rows, GRID), at LOADS: (tables, rows, GRID)."""
    at = np.minimum(np.add.reduce(load[:, :, None] < LOADS, axis=1, dtype=np.int64), GRID - 1)
    if len(load) > 1:
        at += (np.arange(len(load)) * GRID)[:, None]
        before = at - (at % GRID > 0)
    else:
        before = at - (at > 0)
    stands = load.reshape(-1)
    left = stands.take(before)
    share = clipped((LOADS - left) / np.maximum(stands.take(at) - left, _TINY), 0.0, 1.0)
    flat = np.concatenate(tables).reshape(len(tables), -1)
    low = flat.take(before, axis=1)
    return np.asarray(low + (flat.take(at, axis=1) - low) * share, dtype=np.float64)


def convex(miss: Floats) -> Floats:
    """The same start, with slopes that never fall: more load never looks harmless because all is lost already."""
    steps = miss.copy()
    rise = np.maximum((miss[:, 1:] - miss[:, :-1]) / _WIDTHS, 0.0)
    steps[:, 1:] = miss[:, :1] + np.add.accumulate(np.maximum.accumulate(rise, axis=1) * _WIDTHS, axis=1)
    return steps


def look_up(table: Floats, load: Floats, row: Ints | None = None) -> Floats:
    """Linear interpolation of `table` (rows, GRID) at `load` (rows, anything), extended by its last slope; below the
    first load as at it. `row`: which row of the table each row of loads asks, where that is not its own."""
    if len(table) == 1 and load.size <= _FEW:
        plain = table[0].tolist()
        return np.array([_look_up(plain, each) for each in load.tolist()])
    before, share = _between(load, len(table), row)
    flat = table.reshape(-1)
    low = flat.take(before)
    before += 1
    return low + (flat.take(before) - low) * share


def _look_up(row: list[float], loads: list[float]) -> list[float]:
    """As `look_up`, of one row."""
    found = []
    for load in loads:
        reach = load if load >= _LEAST or load != load else _LEAST
        before = bisect_left(_INNER, reach)
        low = row[before]
        found.append(low + (row[before + 1] - low) * ((reach - _PLAIN_LOADS[before]) * _PLAIN_PER_WIDTH[before]))
    return found


def look_up_all(tables: Floats, load: Floats, row: Ints) -> Floats:
    """As `look_up` in several tables (tables, rows, GRID) at the same loads: (tables, rows, anything)."""
    if tables.shape[1] == 1 and load.size <= _FEW:
        loads = load.tolist()
        return np.array([[_look_up(table, each) for each in loads] for table in tables[:, 0].tolist()])
    before, share = _between(load, tables.shape[1], row)
    flat = tables.reshape(len(tables), -1)
    low = flat.take(before, axis=1)
    before += 1
    return low + (flat.take(before, axis=1) - low) * share


def _between(load: Floats, rows: int, row: Ints | None) -> tuple[Ints, Floats]:
    """The places of the last of LOADS below each load in a table (rows, GRID) written in one line, and how far each is
    from there to the next."""
    reach = np.maximum(load, _LOWEST)
    # the last of LOADS below the load, but for the very last
    cell = (np.fmin(reach, _HIGHEST) * _CELLS).astype(np.int64)
    before = _CELL_FROM.take(cell)
    before += _CELL_EDGE.take(cell) < reach
    share = (reach - LOADS.take(before)) * _PER_WIDTH.take(before)
    if rows > 1:
        before += ((np.arange(rows) if row is None else row) * GRID)[:, None]
    return before, share


def inverse(table: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Where a nondecreasing `table` (rows, GRID) reaches `value` (rows,): the load and the slope there."""
    if len(table) == 1:
        return _inverse(table[0].tolist(), value.item())
    at = np.minimum(np.maximum((table < value[:, None]).sum(axis=1), 1), GRID - 1)
    flat, place = table.reshape(-1), at + np.arange(len(table)) * GRID
    low, high = flat[place - 1], flat[place]
    left, right = LOADS[at - 1], LOADS[at]
    slope = np.maximum((high - low) / (right - left), 1e-3)
    load = clipped(left + (value - low) / slope, left, right)
    return np.asarray(load, dtype=np.float64), np.asarray(slope, dtype=np.float64)


def _inverse(row: list[float], value: float) -> tuple[Floats, Floats]:
    """As `inverse`, of one row."""
    at = min(max(sum([item < value for item in row]), 1), GRID - 1)
    low, left, right = row[at - 1], _PLAIN_LOADS[at - 1], _PLAIN_LOADS[at]
    slope = larger((row[at] - low) / (right - left), 1e-3)
    load = smaller(larger(left + (value - low) / slope, left), right)
    return np.array([load]), np.array([slope])
