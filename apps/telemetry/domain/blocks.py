"""Rows of signals of a span of time, packed: by name instead of by moment, a twentieth of the bytes.

What a pool does is much the same from minute to minute, and a chart reads three names of two hundred. So a block holds
each name's values one behind the other, and the names of one kind (a histogram, all counts, …) in a section of their
own, which alone is unpacked when it is asked for. A variant keeps only what differs from its pool: with one variant
that is next to nothing.

Whole numbers (counts, buckets) are kept exactly, others (means, sums of seconds, money) to sixteen bits of mantissa: a
relative error below 1.6e-5, a pixel in sixty thousand.

Layout: length of the header (4 bytes), header (JSON, deflated), sections (LZMA, raw). Decision 12 says why not a table
of one value a row, and what it costs.
"""

from __future__ import annotations

import lzma
import math
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals, own_rates, rates_of

__all__ = ["FIELDS", "Wanted", "pack", "unpack"]

# column -> names of it, None for all; columns that are not there are not read
Wanted: TypeAlias = Mapping[str, Sequence[str] | None]
FIELDS = ("counts", "rates", "histograms", "gauges", "replicas", "sources")

Floats: TypeAlias = NDArray[np.float64]
# name -> values by slot, NaN where it is missing
Table: TypeAlias = dict[str, Floats]

_FORMAT = 1
_PLAIN = ("seconds", "targets", "scraped")
_TEXTS = ("reason", "sources")
_FILTERS: list[dict[str, Any]] = [
    {"id": lzma.FILTER_LZMA2, "preset": 6, "dict_size": 1 << 16, "lc": 0, "lp": 0, "pb": 0}
]
_MICRO = 1_000_000
_WIDTHS = (("u1", 1 << 8), ("u2", 1 << 16), ("u4", 1 << 32))


def pack(rows: Mapping[str, Sequence[Signals]]) -> bytes:
    """All rows of one pool in a span of time, by variant ("" for the pool). Of two rows of one moment the later wins.

    Raises ValueError when there is none.
    """
    moments = sorted({_micros(row.at) for of_variant in rows.values() for row in of_variant})
    if not moments:
        raise ValueError("There is no row to pack.")
    slots = {moment: slot for slot, moment in enumerate(moments)}
    writer = _Writer(len(moments), moments[0])
    # as rows are mostly as far apart as ever, one number says it
    writer.section("", "at", {"at": np.diff(np.array(moments, dtype=np.float64), prepend=moments[0])[1:]})
    pool: dict[str, Table] = {}
    # the pool first: its variants are told by what differs from it
    for variant in sorted(rows):
        tables = _tables(rows[variant], slots)
        texts = {kind: tables.pop(kind) for kind in _TEXTS}
        writer.texts(variant, texts)
        for kind in dict.fromkeys([*tables, *pool]):
            writer.section(variant, kind, tables.get(kind, {}), pool.get(kind) if variant else None)
        if not variant:
            pool = tables
    return writer.finish()


def unpack(
    data: bytes,
    *,
    variant: str | None = None,
    want: Wanted | None = None,
    after: float = -math.inf,
    until: float = math.inf,
) -> dict[str, list[Signals]]:
    """Rows in (after, until] (Unix seconds) by variant, in order of time; of one variant, or of all.

    Raises ValueError when this is no block.
    """
    return _Reader(data).rows(variant, dict.fromkeys(FIELDS) if want is None else want, after, until)


def _micros(at: float) -> int:
    return round(at * _MICRO)


def _tables(rows: Sequence[Signals], slots: Mapping[int, int]) -> dict[str, Any]:
    """What the sections hold: name -> values by slot for each kind, and the texts by slot."""
    size = len(slots)
    tables: dict[str, Table] = {"plain": {}, "gauges": {}, "counts": {}, "rates": {}, "replicas": {}}
    texts: dict[str, list[str | None]] = {kind: [None] * size for kind in _TEXTS}
    families: dict[str, dict[tuple[float, float], Floats]] = {}

    def put(kind: str, name: str, slot: int, value: float) -> None:
        table = tables[kind]
        if name not in table:
            table[name] = np.full(size, np.nan)
        table[name][slot] = value

    # of two rows of one moment the later one
    for slot, row in {slots[_micros(row.at)]: row for row in rows}.items():
        for name in _PLAIN:
            put("plain", name, slot, getattr(row, name))
        for kind, values in (
            ("counts", row.counts), ("rates", own_rates(row)), ("gauges", row.gauges), ("replicas", row.replicas),
        ):  # fmt: skip
            for name, value in values.items():
                put(kind, name, slot, value)
        for family, histogram in row.histograms.items():
            buckets = families.setdefault(family, {})
            for bucket, count in histogram.counts.items():
                if bucket not in buckets:
                    buckets[bucket] = np.zeros(size)
                buckets[bucket][slot] = count
        texts["reason"][slot] = row.reason
        texts["sources"][slot] = orjson.dumps(row.sources, option=orjson.OPT_SORT_KEYS).decode()
    histograms = {
        f"h:{family}": {f"{low!r} {high!r}": buckets[(low, high)] for low, high in sorted(buckets)}
        for family, buckets in families.items()
        if buckets
    }
    return {**tables, **histograms, **texts}


class _Writer:
    """Collects sections; the header says what each has."""

    def __init__(self, size: int, first: int) -> None:
        self._size, self._first = size, first
        self._sections: list[bytes] = []
        self._entries: list[list[Any]] = []

    def section(self, variant: str, kind: str, table: Table, like: Table | None = None) -> None:
        """`like`: the pool's section. What is equal there is left out, and the whole section where nothing is left."""
        pool = like or {}
        same = {name for name, values in table.items() if _equal(pool.get(name), values)}
        own = {name: values for name, values in table.items() if name not in same}
        lacking = [name for name in pool if name not in table]
        if not own and not lacking:
            return
        encoded = [(name, *_encode(values)) for name, values in own.items()]
        payload = _compress(b"".join(part for _, _, part in encoded)) if own else b""
        self._sections.append(payload)
        codes = [[name, code] for name, code, _ in encoded]
        # None: nothing is as in the pool
        self._entries.append([variant, kind, len(payload), codes, lacking if same else None])

    def texts(self, variant: str, texts: Mapping[str, Sequence[str | None]]) -> None:
        """Texts as runs: they change a few times a day."""
        for kind, values in texts.items():
            runs: list[list[Any]] = []
            for value in values:
                if runs and runs[-1][0] == value:
                    runs[-1][1] += 1
                else:
                    runs.append([value, 1])
            payload = zlib.compress(orjson.dumps(runs), 9)
            self._sections.append(payload)
            self._entries.append([variant, kind, len(payload), [], []])

    def finish(self) -> bytes:
        header = zlib.compress(
            orjson.dumps({"format": _FORMAT, "first": self._first, "size": self._size, "sections": self._entries}),
            9,
        )
        return b"".join((struct.pack("<I", len(header)), header, *self._sections))


class _Reader:
    def __init__(self, data: bytes) -> None:
        try:
            (length,) = struct.unpack_from("<I", data)
            header = orjson.loads(zlib.decompress(data[4 : 4 + length]))
        except (struct.error, zlib.error, orjson.JSONDecodeError) as error:
            raise ValueError(f"This is no block of signals: {error}.") from None
        if header.get("format") != _FORMAT:
            raise ValueError(f"Blocks of format {header.get('format')} are not known here.")
        self._data = data
        self.size: int = header["size"]
        self._first: int = header["first"]
        self._sections: dict[tuple[str, str], tuple[int, int, list[Any], list[str] | None]] = {}
        at = 4 + length
        for variant, kind, size, codes, lacking in header["sections"]:
            self._sections[(variant, kind)] = (at, size, codes, lacking)
            at += size
        self.variants = sorted({variant for variant, kind in self._sections if kind == "reason"})

    def rows(self, variant: str | None, want: Wanted, after: float, until: float) -> dict[str, list[Signals]]:
        instants = self._instants()
        inside = [slot for slot, at in enumerate(instants.tolist()) if after < at <= until]
        wanted = self.variants if variant is None else [variant] if variant in self.variants else []
        return {name: self._rows_of(name, want, instants, inside) for name in wanted} if inside else {}

    def _instants(self) -> Floats:
        steps, at = np.zeros(self.size), self._sections.get(("", "at"))
        if at is not None and self.size > 1:
            place, length, codes, _ = at
            payload = _decompress(self._data[place : place + length])
            found, _ = _decode_series(payload, 0, codes[0][1], self.size - 1, skip=False)
            steps[1:] = found
        return (self._first + np.cumsum(steps)) / _MICRO

    def table(self, variant: str, kind: str, names: Iterable[str] | None = None) -> Table:
        """Series of a section, those of the pool where the variant has none of its own. `names`: no others."""
        chosen = None if names is None else set(names)
        own = self._decode(variant, kind, chosen)
        _, _, codes, lacking = self._sections.get((variant, kind), (0, 0, [], []))
        if not variant or lacking is None:
            return own
        theirs = {*lacking, *(name for name, _ in codes)}
        pool = self._decode("", kind, chosen)
        return {**{name: values for name, values in pool.items() if name not in theirs}, **own}

    def _decode(self, variant: str, kind: str, chosen: set[str] | None) -> Table:
        place = self._sections.get((variant, kind))
        if place is None:
            return {}
        at, length, codes, _ = place
        if not codes or (chosen is not None and not any(name in chosen for name, _ in codes)):
            return {}
        payload = _decompress(self._data[at : at + length])
        table, offset = {}, 0
        for name, code in codes:
            values, offset = _decode_series(
                payload, offset, code, self.size, skip=chosen is not None and name not in chosen
            )
            if values is not None:
                table[name] = values
        return table

    def _texts(self, variant: str, kind: str) -> list[str | None]:
        at, length, _, _ = self._sections[(variant, kind)]
        runs = orjson.loads(zlib.decompress(self._data[at : at + length]))
        return [value for value, count in runs for _ in range(count)]

    def _rows_of(self, variant: str, want: Wanted, instants: Floats, inside: Sequence[int]) -> list[Signals]:
        plain = self.table(variant, "plain")
        reasons = self._texts(variant, "reason")
        here = [slot for slot in inside if reasons[slot] is not None]
        columns = {
            column: self._columns(variant, column, want[column], len(reasons), here)
            for column in ("counts", "rates", "gauges", "replicas")
            if column in want
        }
        if "rates" in want and "counts" not in want:
            columns["counts"] = self._columns(variant, "counts", want["rates"], len(reasons), here)
        histograms = self._histograms(variant, want["histograms"], here) if "histograms" in want else {}
        sources = self._texts(variant, "sources") if "sources" in want else []
        seconds, targets, scraped = (plain[name].tolist() for name in _PLAIN)
        rows = []
        for slot in here:
            counts = columns.get("counts", {}).get(slot, {})
            rows.append(
                Signals(
                    at=float(instants[slot]),
                    seconds=seconds[slot],
                    targets=int(targets[slot]),
                    scraped=int(scraped[slot]),
                    reason=reasons[slot] or "",
                    counts=counts,
                    rates=rates_of(counts, seconds[slot], columns.get("rates", {}).get(slot, {})),
                    histograms=histograms.get(slot, {}),
                    gauges=columns.get("gauges", {}).get(slot, {}),
                    replicas={name: int(value) for name, value in columns.get("replicas", {}).get(slot, {}).items()},
                    sources=orjson.loads(sources[slot] or "{}") if sources else {},
                )
            )
        return rows

    def _columns(
        self, variant: str, kind: str, names: Sequence[str] | None, size: int, here: Sequence[int]
    ) -> dict[int, dict[str, float]]:
        found: dict[int, dict[str, float]] = {slot: {} for slot in here}
        for name, values in self.table(variant, kind, names).items():
            listed = values.tolist()
            for slot in here:
                value = listed[slot]
                if not math.isnan(value):
                    found[slot][name] = value
        return found

    def _histograms(
        self, variant: str, names: Sequence[str] | None, here: Sequence[int]
    ) -> dict[int, dict[str, Histogram]]:
        families = {kind[2:] for _, kind in self._sections if kind.startswith("h:")}
        found: dict[int, dict[str, Histogram]] = {slot: {} for slot in here}
        for family in sorted(families if names is None else families & set(names)):
            buckets = self.table(variant, f"h:{family}")
            counts: dict[int, dict[tuple[float, float], float]] = {slot: {} for slot in here}
            for name in sorted(buckets, key=_edges):
                bucket, listed = _edges(name), buckets[name].tolist()
                for slot in here:
                    if listed[slot] > 0:
                        counts[slot][bucket] = listed[slot]
            for slot, of_slot in counts.items():
                if of_slot:
                    found[slot][family] = Histogram(of_slot)
        return found


def _edges(name: str) -> tuple[float, float]:
    low, _, high = name.partition(" ")
    return float(low), float(high)


def _equal(one: Floats | None, other: Floats) -> bool:
    return one is not None and bool(np.array_equal(one, other, equal_nan=True))


def _compress(payload: bytes) -> bytes:
    return lzma.compress(payload, lzma.FORMAT_RAW, filters=_FILTERS)


def _decompress(payload: bytes) -> bytes:
    return lzma.decompress(payload, lzma.FORMAT_RAW, filters=_FILTERS)


def _encode(values: Floats) -> tuple[str, bytes]:
    """A series as (code, bytes). Code: `m` where a mask comes first, then how the values that are there are written.

    `k`: all the same, one double; `uN`: integers of N bytes above a base (a double); `f3`: the upper three bytes of
    singles; `f8`: doubles. Bytes of equal weight stand together: the upper ones of neighbours are alike.
    """
    there = ~np.isnan(values)
    code, head = "", b""
    if not there.all():
        code, head = "m", np.packbits(there).tobytes()
        values = values[there]
    if values.size == 0 or np.all(values == values[0]):
        return f"{code}k", head + struct.pack("<d", values[0] if values.size else 0.0)
    whole = bool(np.all(np.isfinite(values)) and np.all(values == np.rint(values)) and np.all(np.abs(values) < 2**53))
    if whole:
        base = values.min()
        above = (values - base).astype(np.uint64)
        for width, limit in _WIDTHS:
            if int(above.max()) < limit:
                planes = above.astype(f"<{width}").view(np.uint8).reshape(values.size, -1).T
                return f"{code}{width}", head + struct.pack("<d", float(base)) + planes.tobytes()
        return f"{code}f8", head + _planes(values.astype("<f8"))
    short = _shortened(values)
    exact = values == np.rint(values)
    if np.all(np.isfinite(short)) and np.array_equal(short[exact].astype(np.float64), values[exact]):
        planes = short.astype("<f4").view(np.uint8).reshape(values.size, 4).T[1:]
        return f"{code}f3", head + planes.tobytes()
    return f"{code}f8", head + _planes(values.astype("<f8"))


def _shortened(values: Floats) -> NDArray[np.float32]:
    """Singles of which the lowest byte is zero, rounded to the nearest."""
    with np.errstate(over="ignore"):
        bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits.astype(np.uint64) + 0x80) & np.uint64(0xFFFFFF00)
    return rounded.astype(np.uint32).view(np.float32)


def _planes(values: NDArray[Any]) -> bytes:
    return values.view(np.uint8).reshape(values.size, -1).T.tobytes()


def _decode_series(payload: bytes, at: int, code: str, size: int, *, skip: bool) -> tuple[Floats | None, int]:
    """The series at an offset of its section, and the offset of the next one; None where it is only skipped."""
    there: NDArray[np.bool_] | None = None
    count = size
    if code[0] == "m":
        length = -(-size // 8)
        there = np.unpackbits(np.frombuffer(payload, np.uint8, length, at), count=size).astype(bool)
        count, at, code = int(there.sum()), at + length, code[1:]
    if code == "k":
        base, end = struct.unpack_from("<d", payload, at)[0], at + 8
        values = None if skip else np.full(count, base)
    elif code[0] == "u":
        width = int(code[1])
        end = at + 8 + width * count
        values = None
        if not skip:
            raw = np.frombuffer(payload, np.uint8, width * count, at + 8).reshape(width, count).T
            values = np.ascontiguousarray(raw).view(f"<{code}").reshape(count).astype(np.float64)
            values += struct.unpack_from("<d", payload, at)[0]
    elif code == "f3":
        end = at + 3 * count
        values = None
        if not skip:
            raw = np.zeros((count, 4), np.uint8)
            raw[:, 1:] = np.frombuffer(payload, np.uint8, 3 * count, at).reshape(3, count).T
            values = raw.view("<f4").reshape(count).astype(np.float64)
    elif code == "f8":
        end = at + 8 * count
        values = None
        if not skip:
            raw = np.frombuffer(payload, np.uint8, 8 * count, at).reshape(8, count).T
            values = np.ascontiguousarray(raw).view("<f8").reshape(count).copy()
    else:
        raise ValueError(f"A series is written in a way that is not known here: {code}.")
    if values is None or there is None:
        return values, end
    spread = np.full(size, np.nan)
    spread[there] = values
    return spread, end
