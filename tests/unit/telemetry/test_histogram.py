"""Quantiles and shares from bucket counts."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.domain.histogram import Histogram

EDGES = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, math.inf)
counts_on_grid = st.lists(st.integers(0, 50), min_size=len(EDGES), max_size=len(EDGES))
q_values = st.floats(0.001, 1.0)


def cumulative(counts: list[int]) -> dict[float, float]:
    total, out = 0, {}
    for edge, count in zip(EDGES, counts, strict=True):
        total += count
        out[edge] = float(total)
    return out


def prometheus_quantile(q: float, buckets: dict[float, float]) -> float:
    """promql/quantile.go bucketQuantile, written down from its documentation, on cumulative buckets."""
    edges = sorted(buckets)
    rank = q * buckets[edges[-1]]
    index = next(i for i, edge in enumerate(edges) if buckets[edge] >= rank or i == len(edges) - 1)
    if index == len(edges) - 1:
        return edges[-2]
    start = 0.0 if index == 0 else edges[index - 1]
    below = 0.0 if index == 0 else buckets[edges[index - 1]]
    return start + (edges[index] - start) * (rank - below) / (buckets[edges[index]] - below)


@given(counts_on_grid, q_values)
def test_quantile_is_prometheus_rule(counts: list[int], q: float) -> None:
    buckets = cumulative(counts)
    histogram = Histogram.from_cumulative(buckets)
    if not sum(counts):
        assert histogram.quantile(q) is None
    else:
        assert histogram.quantile(q) == pytest.approx(prometheus_quantile(q, buckets))


@given(st.lists(counts_on_grid, min_size=1, max_size=6), q_values)
def test_adding_parts_equals_counting_together(parts: list[list[int]], q: float) -> None:
    together = [sum(column) for column in zip(*parts, strict=True)]
    added = Histogram.sum(Histogram.from_cumulative(cumulative(part)) for part in parts)
    whole = Histogram.from_cumulative(cumulative(together))
    assert added.counts == whole.counts
    assert added.quantile(q) == whole.quantile(q)


@given(st.lists(st.floats(0.0001, 5.0), min_size=1, max_size=60), st.sampled_from(EDGES[:-1]), st.floats(0.001, 6.0))
def test_shares_are_exact_on_an_edge_and_bracketed_elsewhere(values: list[float], edge: float, anywhere: float) -> None:
    histogram = Histogram.from_cumulative({e: float(sum(v <= e for v in values)) for e in EDGES})
    on_edge = histogram.fraction_within(edge)
    assert on_edge is not None
    assert on_edge.exact
    assert on_edge.low == pytest.approx(sum(v <= edge for v in values) / len(values))
    between = histogram.fraction_within(anywhere)
    assert between is not None
    truth = sum(v <= anywhere for v in values) / len(values)
    assert between.low - 1e-9 <= truth <= between.high + 1e-9


@given(counts_on_grid)
def test_json_round_trip(counts: list[int]) -> None:
    histogram = Histogram.from_cumulative(cumulative(counts))
    assert Histogram.from_json(histogram.to_json()).counts == histogram.counts


@given(counts_on_grid, st.lists(st.integers(0, 50), min_size=4, max_size=4), q_values)
def test_two_grids_give_a_quantile_within_both(fine: list[int], coarse: list[int], q: float) -> None:
    grid = (0.3, 0.8, 3.0, math.inf)
    total, other = 0, {}
    for edge, count in zip(grid, coarse, strict=True):
        total += count
        other[edge] = float(total)
    left, right = Histogram.from_cumulative(cumulative(fine)), Histogram.from_cumulative(other)
    both = (left + right).quantile(q)
    parts = [value for value in (left.quantile(q), right.quantile(q)) if value is not None]
    if not parts:
        assert both is None
    else:
        # an open bucket answers with its lower edge, which the finer grid knows better than the coarser one
        slack = 0.5 if fine[-1] or coarse[-1] else 1e-9
        assert min(parts) - 1e-9 <= both <= max(parts) + slack


def test_empty_has_no_quantile_and_no_share() -> None:
    assert Histogram().quantile(0.5) is None
    assert Histogram().fraction_within(1.0) is None


@pytest.mark.parametrize("q", [0.0, -0.1, 1.1, math.nan])
def test_a_quantile_outside_its_range_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match="quantile lies in"):
        Histogram({(0, 1): 1}).quantile(q)
