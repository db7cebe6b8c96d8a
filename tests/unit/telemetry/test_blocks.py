"""Packed rows are the rows: for any names, gaps and variants, whole or only the names that are asked for."""

from __future__ import annotations

import base64
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.telemetry.domain.blocks import pack, unpack
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals, rates_of

AT = 1_790_000_000.0
# whole numbers are kept exactly, others to this
PRECISION = 1.6e-5

names = st.sampled_from(["requests", "errors", "prompt_tokens", "ttft_sum", "cost:USD", "gateway.requests", "lora:é"])
whole = st.integers(0, 2**45).map(float)
numbers = st.one_of(whole, st.floats(0, 1e9), st.floats(-1e6, 1e6, width=32))
edges = st.sampled_from([(0.0, 0.1), (0.1, 0.25), (0.25, math.inf), (0.2, 0.3), (-math.inf, 0.0)])
histograms = st.dictionaries(edges, st.integers(1, 70_000).map(float), max_size=4).map(Histogram)


@st.composite
def signals(draw: st.DrawFn, at: float) -> Signals:
    seconds = draw(st.sampled_from([10.0, 60.0, 59.73, 0.5]))
    counts = draw(st.dictionaries(names, numbers, max_size=5))
    stored = draw(st.dictionaries(names, numbers, max_size=2))
    return Signals(
        at=at,
        seconds=seconds,
        targets=draw(st.integers(0, 300)),
        scraped=draw(st.integers(0, 300)),
        reason=draw(st.sampled_from(["", "chat-1 did not give its metrics within 3 s."])),
        counts=counts,
        rates=rates_of(counts, seconds, stored),
        histograms=draw(st.dictionaries(st.sampled_from(["ttft", "itl", "gateway.ttft"]), histograms, max_size=3)),
        gauges=draw(st.dictionaries(names, numbers, max_size=4)),
        replicas=draw(st.dictionaries(st.sampled_from(["desired", "ready"]), st.integers(0, 3000), max_size=2)),
        sources=draw(st.sampled_from([{}, {"gateway": {"targets": 1, "scraped": 0, "reason": "späť"}}])),
    )


@st.composite
def blocks(draw: st.DrawFn) -> dict[str, list[Signals]]:
    slots = draw(st.lists(st.integers(0, 400), min_size=1, max_size=5, unique=True).map(sorted))
    pool = [draw(signals(AT + 60.0 * slot)) for slot in slots]
    alike = [replace(row, gauges={}) for row in pool]
    other = [draw(signals(AT + 60.0 * slot)) for slot in slots[: draw(st.integers(0, 2))]]
    found = {"": pool, "fast": alike, "slow": other}
    return {name: rows for name, rows in found.items() if rows}


def same(packed: Signals, row: Signals) -> None:
    assert (packed.at, packed.targets, packed.scraped, packed.reason) == (
        row.at, row.targets, row.scraped, row.reason,
    )  # fmt: skip
    assert packed.seconds == pytest.approx(row.seconds, rel=PRECISION)
    assert packed.sources == row.sources
    assert packed.replicas == row.replicas
    assert packed.histograms == {family: h for family, h in row.histograms.items() if h.counts}
    for ours, theirs in ((packed.counts, row.counts), (packed.gauges, row.gauges)):
        assert set(ours) == set(theirs)
        for name, value in theirs.items():
            if value.is_integer():
                assert ours[name] == value, name
            else:
                assert ours[name] == pytest.approx(value, rel=PRECISION, abs=1e-30)
    assert set(packed.rates) == set(row.rates)
    assert packed.rates == pytest.approx(dict(row.rates), rel=3 * PRECISION, abs=1e-11)


@settings(max_examples=40)
@given(blocks())
def test_what_comes_out_is_what_went_in(rows: dict[str, list[Signals]]) -> None:
    found = unpack(pack(rows))
    assert list(found) == sorted(rows)
    for variant, of_variant in rows.items():
        for packed, row in zip(found[variant], of_variant, strict=True):
            same(packed, row)


@settings(max_examples=40)
@given(blocks(), st.integers(-1, 400), st.integers(0, 400))
def test_a_part_is_the_same_as_in_the_whole(rows: dict[str, list[Signals]], first: int, length: int) -> None:
    data = pack(rows)
    after, until = AT + 60.0 * first, AT + 60.0 * (first + length)
    want = {"counts": ["requests", "none"], "histograms": ["ttft"], "rates": ["errors"], "gauges": None}
    for variant, of_variant in unpack(data).items():
        part = unpack(data, variant=variant, want=want, after=after, until=until).get(variant, [])
        whole_rows = [row for row in of_variant if after < row.at <= until]
        assert [row.at for row in part] == [row.at for row in whole_rows]
        for mine, row in zip(part, whole_rows, strict=True):
            assert mine.counts == {name: v for name, v in row.counts.items() if name == "requests"}
            assert mine.histograms == {f: h for f, h in row.histograms.items() if f == "ttft"}
            assert mine.gauges == row.gauges
            assert mine.sources == {}


@settings(max_examples=20)
@given(blocks())
def test_packing_what_was_packed_changes_nothing_more(rows: dict[str, list[Signals]]) -> None:
    once = unpack(pack(rows))
    assert unpack(pack(once)) == once


def minute(number: int, **changes) -> Signals:
    return Signals(at=AT + 60 * number, seconds=60.0, **changes)


def test_of_two_rows_of_one_moment_the_later_one_stands_whole() -> None:
    old, new = minute(1, counts={"requests": 1.0, "errors": 1.0}), minute(1, counts={"requests": 5.0})
    (row,) = unpack(pack({"": [old, new]}))[""]
    assert row.counts == {"requests": 5.0}


def test_missing_is_not_zero() -> None:
    rows = [minute(1, gauges={"running": 0.0}), minute(2), minute(3, gauges={"running": 2.0})]
    assert [row.gauges for row in unpack(pack({"": rows}))[""]] == [{"running": 0.0}, {}, {"running": 2.0}]


def test_a_variant_that_does_what_its_pool_does_costs_next_to_nothing() -> None:
    rows = [
        minute(n, counts={f"c{k}": float(n * k % 977) for k in range(40)}, histograms={"ttft": Histogram({(0, 1): n})})
        for n in range(1, 241)
    ]
    alone, both = len(pack({"": rows})), len(pack({"": rows, "only": rows}))
    assert both - alone < 200
    assert unpack(pack({"": rows, "only": rows}))["only"] == unpack(pack({"": rows}))[""]


def test_no_rows_and_no_block() -> None:
    with pytest.raises(ValueError, match="no row"):
        pack({"": []})
    for data in (b"", b"abc", b"\x03\x00\x00\x00xyz"):
        with pytest.raises(ValueError, match="no block"):
            unpack(data)
    assert unpack(pack({"": [minute(1)]}), variant="none") == {}


# a block as format 1 was first written: it has to be read for as long as hours are kept
GOLDEN = (
    "6wAAAHjadZDrbsMgDIVfpfJvKwKStlteJUITIiRFTSDlMqmd9u7DabRL1fmXOf58jvAHDD7MKkHLEQYbInXHV0Z1YPdCiPZmoK1L"
    "Y3Sy3kVouw4AoSyiYFge1EFuQEp0eZokrvNgVPQOsOHYFUlucvQ5aBMBj80ffZmULbSoybFkedcXCM5A86TCaNLPO+qgFtNTLH+I"
    "HVUeyZ6vRuf3t9mo4gtD/QBqnx1ZCk5gMJds4hoxP/nKMlmtyPVwh1V/fRZ+alMa6C6CMFbxHavEfiMLsq/YzrqBBPF79SQY++dk"
    "2+j7bPxlm8nPL37LgiIBAA8AAAAAOJyMQQAAAIcAkwADAHjai45WUtIxitWJVvLLVyhKLcjJTE5UyCwGMhNTKvWUdAxjYwG6Ywq0"
    "eNqLjlaqjlFKTyxJLU+sjFGyAnKKUhOL8/OA7BilGCWdGKXi5KLEgtQUoIAhkFeSWJSeWlIM4tXWKukYxuoATQAyjGJjAcp6GGTg"
    "ABoADwAAAGpFQe/bslVtBNDq3AAAAAEACAAAmoAAmT4/PgABABDAAAAAAAAACEAAbQARAAEAAADgAAoACAAAAGsq/H1AAAAA4AAY"
    "AA4AAABrqAIaVwSgFqdbegAAAHjai45WUtIxitWJVvLLVyhKLcjJTE5UyCwGMhNTKvWUdAxjYwG6Ywq0eNqLjlaqrlXSMY6NBQAR"
    "MAMM"
)


def test_blocks_of_earlier_versions_are_read() -> None:
    pool, variant = unpack(base64.b64decode(GOLDEN)).values()
    assert [row.at for row in pool] == [AT + 60, AT + 120, AT + 240]
    assert [row.counts for row in pool] == [{"requests": 3.0}, {"requests": 70_000.0}, {}]
    assert [row.gauges for row in pool] == [
        {"kv_mean": 0.25},
        {"kv_mean": 0.5},
        {"kv_mean": pytest.approx(0.3, rel=PRECISION)},
    ]
    assert pool[1].histograms == {"ttft": Histogram({(0.1, 0.25): 7, (5.0, math.inf): 300})}
    assert pool[2].reason == "No replica is ready."
    assert variant[1].sources == {}
    assert variant[1].counts == {"requests": 70_000.0}
