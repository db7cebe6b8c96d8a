"""Few rows that have every pair of values of any two factors together."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any


def pairwise(factors: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Rows such that for any two factors every pair of their values stands in one (greedy, always the same)."""
    names = list(factors)
    open_pairs = {(a, x, b, y) for a, b in itertools.combinations(names, 2) for x in factors[a] for y in factors[b]}
    rows = []
    while open_pairs:
        a, x, b, y = min(open_pairs, key=str)
        row = {a: x, b: y}
        for name in names:
            if name not in row:
                row[name] = max(factors[name], key=lambda value, n=name: _gain(open_pairs, names, row, n, value))
        open_pairs -= {(p, row[p], q, row[q]) for p, q in itertools.combinations(names, 2)}
        rows.append({name: row[name] for name in names})
    return rows


def _gain(open_pairs: set[Any], names: list[str], row: Mapping[str, Any], name: str, value: Any) -> int:
    both = [(other, row[other]) for other in names if other in row]
    return sum(
        ((other, x, name, value) if names.index(other) < names.index(name) else (name, value, other, x)) in open_pairs
        for other, x in both
    )
