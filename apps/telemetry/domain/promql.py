"""The questions for the pages of all pods of a cluster that one Prometheus is asked.

What comes back are the samples that Prometheus scraped, by pod, with the time of that scrape: the same totals that a
page has, so that everything behind (restarts, deltas, rows) is the same for both sources. Functions like `rate()` are
not used: they extrapolate, and hide which pod said what.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from apps.telemetry.domain.engine import EXPLANATORY, FAMILIES
from apps.telemetry.domain.engine import TABLE as ENGINE
from apps.telemetry.domain.gateway import TABLE as GATEWAY
from apps.telemetry.domain.pages import STARTED

__all__ = [
    "CLOCK", "MARK", "MAX_AGE", "SAMPLED", "PodKey", "explained_between", "explaining_query", "queries_of", "query_of",
    "times_query",
]  # fmt: skip

# Seconds after which the newest sample of a pod says nothing of the present any more.
MAX_AGE = 60.0
# the label that tells what is no metric of a pod: when it was scraped, and the clock of the Prometheus
MARK, SAMPLED, CLOCK = "lamplight", "sampled_at", "clock"

PodKey = tuple[str, str]
"""(namespace, name)."""

_MINUTE = 60.0
_DOT = "\\."
_EXPLAINING = {family: frozenset(f"{FAMILIES[family]}_{part}" for part in ("bucket", "sum")) for family in EXPLANATORY}
_LATER: frozenset[str] = frozenset().union(*_EXPLAINING.values())
_NAMES = frozenset({*ENGINE.lines, *GATEWAY.lines})


def query_of(
    namespaces: Iterable[str], *, pod_label: str = "pod", namespace_label: str = "namespace",
    matchers: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """The one query for all engines and endpoint pickers in these namespaces, and when each was scraped."""
    selector = _selector(namespaces, None, pod_label, namespace_label, matchers)
    return f"{_any_of(_NAMES, selector)} or {_scraped(selector)}"


def queries_of(
    namespaces: Iterable[str], parts: int, *, pods: Collection[str] | None = None, pod_label: str = "pod",
    namespace_label: str = "namespace", matchers: Mapping[str, str] | None = None,
) -> list[str]:  # fmt: skip
    """The same in so many parts that can be asked at once, each of other metrics: of all pods, or of those named so.

    Without the times, and without the histograms that only explain others (a third of all series)."""
    selector = _selector(namespaces, pods, pod_label, namespace_label, matchers)
    # histograms have most of the series: sorted so, each part gets as many of them
    names = sorted(_NAMES - _LATER, key=lambda name: (not name.endswith("_bucket"), name))
    return [_any_of(names[n::parts], selector) for n in range(parts)]


def explaining_query(
    namespaces: Iterable[str], families: Iterable[str], *, pod_label: str = "pod", namespace_label: str = "namespace",
    matchers: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """The histograms of these of EXPLANATORY, of all pods."""
    names = {name for family in families for name in _EXPLAINING[family]}
    return _any_of(names, _selector(namespaces, None, pod_label, namespace_label, matchers))


def times_query(
    namespaces: Iterable[str], *, pod_label: str = "pod", namespace_label: str = "namespace",
    matchers: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """When each pod was scraped last, by each job that does, and what time it is by the clock of the Prometheus."""
    selector = _selector(namespaces, None, pod_label, namespace_label, matchers)
    return f'{_scraped(selector)} or label_replace(vector(time()),"{MARK}","{CLOCK}","","")'


def explained_between(last: float | None, now: float) -> tuple[str, ...]:
    """Those of EXPLANATORY that are due between two moments (Unix seconds): each once a minute, not all at once.

    All where nothing is known of the one before.
    """
    each = _MINUTE / len(EXPLANATORY)
    if last is None or not 0 <= now - last < _MINUTE:
        return EXPLANATORY
    turns = range(math.floor(last / each) + 1, math.floor(now / each) + 1)
    return tuple(EXPLANATORY[turn % len(EXPLANATORY)] for turn in turns)


def _selector(
    namespaces: Iterable[str], pods: Collection[str] | None, pod_label: str, namespace_label: str,
    matchers: Mapping[str, str] | None,
) -> str:  # fmt: skip
    if pods is None:
        named = f'{pod_label}!=""'
    else:
        # names of pods have no other letter with a meaning; escaped others would keep Prometheus from looking them up
        named = f"{pod_label}=~{_quoted('|'.join(sorted(pods)).replace('.', _DOT))}"
    where = [f"{namespace_label}=~{_quoted('|'.join(sorted(set(namespaces))))}", named]
    where += [f"{label}={_quoted(value)}" for label, value in sorted((matchers or {}).items())]
    return ",".join(where)


def _any_of(names: Iterable[str], selector: str) -> str:
    return f"{{__name__=~{_quoted('|'.join(sorted(names)))},{selector}}}"


def _scraped(selector: str) -> str:
    return f'label_replace(timestamp({STARTED}{{{selector}}}),"{MARK}","{SAMPLED}","","")'


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
