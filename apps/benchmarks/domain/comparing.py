"""Two loads of a pool beside each other: what users got before a change and after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.benchmarks.domain.telling import seconds_in_words

__all__ = ["LEAST", "Load", "compare"]

LEAST = 20
"""Answers below which a quantile says little."""

_LATENCIES = (
    ("ttft", "TTFT", ("p50", "p95", "p99")),
    ("itl", "ITL", ("p95", "p99")),
    ("tpot", "TPOT", ("p50", "p95")),
    ("e2e", "End to end", ("p50", "p95")),
)
_RATES = (("okRate", "Answered", "requests/s"), ("outputTokenRate", "Output tokens", "tokens/s"))
# what may differ between two loads that are still the same
_NO_LOAD = frozenset({"label", "seed"})


@dataclass(frozen=True)
class Load:
    """One side: the generation it ran on, what was asked, the tally's JSON (None: nothing was measured)."""

    generation: int
    request: Mapping[str, Any]
    measured: Mapping[str, Any] | None


def compare(before: Load, after: Load) -> dict[str, Any]:
    """`{sentence, comparable, differs, figures, objectives}`.

    `figures`: rows of `{key, title, unit, before, after, change}` with `change` = after / before - 1, null where a side
    is not known. `differs`: fields of the request that are not the same, which is why two loads may not be comparable.
    `objectives`: promises that either side was judged by.
    """
    differs = [
        {"field": field, "before": before.request.get(field), "after": after.request.get(field)}
        for field in sorted({*before.request, *after.request} - _NO_LOAD)
        if before.request.get(field) != after.request.get(field)
    ]
    objectives = _objectives(before.measured or {}, after.measured or {})
    return {
        "sentence": _sentence(before, after, bool(differs), objectives),
        "comparable": not differs and _enough(before) and _enough(after),
        "differs": differs,
        "figures": _figures(before.measured or {}, after.measured or {}),
        "objectives": objectives,
    }


def _figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for metric, title, quantiles in _LATENCIES:
        for quantile in quantiles:
            one, two = _part(before, metric, quantile), _part(after, metric, quantile)
            rows.append(_row(f"{metric}-{quantile}", f"{title} {quantile}", "s", one, two))
    rows += [_row(key, title, unit, before.get(key), after.get(key)) for key, title, unit in _RATES]
    rows.append(_row("failed", "Failed", "1", _share(before, "failed", "sent"), _share(after, "failed", "sent")))
    cached = (_share(before, "cachedTokens", "promptTokens"), _share(after, "cachedTokens", "promptTokens"))
    rows.append(_row("cached", "Prompt tokens from the cache", "1", *cached))
    return rows


def _row(key: str, title: str, unit: str, before: float | None, after: float | None) -> dict[str, Any]:
    change = round(after / before - 1, 4) if before and after is not None else None
    return {"key": key, "title": title, "unit": unit, "before": before, "after": after, "change": change}


def _objectives(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    sides = [{(row["slo"], row["key"]): row for row in side.get("objectives", ())} for side in (before, after)]
    rows = []
    for name in {**sides[0], **sides[1]}:
        one, two = (side.get(name) for side in sides)
        said = two or one
        assert said is not None
        rows.append(
            {
                **{key: said[key] for key in ("slo", "key", "metric", "threshold", "fraction")},
                "before": one["share"] if one else None,
                "after": two["share"] if two else None,
                "verdictBefore": one["verdict"] if one else "unknown",
                "verdictAfter": two["verdict"] if two else "unknown",
            }
        )
    return rows


def _sentence(before: Load, after: Load, differs: bool, objectives: list[dict[str, Any]]) -> str:
    if not _enough(before) or not _enough(after):
        return f"One of the two has fewer than {LEAST} whole answers: too few to tell them apart."
    one, two = _part(before.measured or {}, "ttft", "p95"), _part(after.measured or {}, "ttft", "p95")
    if not one or two is None:
        return "One of the two has no times to first token."
    told = f"TTFT p95 {_moved(one, two)}"
    known = [row for row in objectives if None not in (row["before"], row["after"])]
    ttft = next((row for row in known if row["metric"] == "ttft"), None)
    if ttft is not None:
        told += (
            f"; within {seconds_in_words(ttft['threshold'])} were {_percent(ttft['before'])} before and "
            f"{_percent(ttft['after'])} after, {_percent(ttft['fraction'])} are promised"
        )
    if before.generation != after.generation:
        told += f". Between them the pool went from generation {before.generation} to {after.generation}"
    if differs:
        told += ". The loads were not the same: see what differs"
    return told + "."


def _moved(before: float, after: float) -> str:
    change = after / before - 1
    if abs(change) < 0.05:
        return f"stayed at about {seconds_in_words(after)}"
    way = "rose" if change > 0 else "fell"
    return f"{way} from {seconds_in_words(before)} to {seconds_in_words(after)}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def _enough(load: Load) -> bool:
    return load.measured is not None and load.measured["ok"] >= LEAST


def _part(measured: Mapping[str, Any], metric: str, quantile: str) -> float | None:
    found = measured.get(metric)
    return None if not found else found[quantile]


def _share(measured: Mapping[str, Any], part: str, whole: str) -> float | None:
    if measured.get(part) is None or not measured.get(whole):
        return None
    return round(float(measured[part] / measured[whole]), 6)
