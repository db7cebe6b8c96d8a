"""The metric catalogue: every metric of engines and endpoint pickers that may be asked for, and which versions have it.

Engines: the tables per vLLM version (`domain/vllm`). Pickers: one table with both dialects of llm-d. What asks for a
metric (our reader, panels, dashboards, alerts) is held to it by a test.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from apps.catalog.domain.vllm import facts

__all__ = ["CatalogueMetric", "Owner", "catalogue", "metric_of_series", "names_in", "picker_metrics", "unknown_names"]

Owner = Literal["engine", "picker"]

_SUFFIXES: Mapping[str, tuple[str, ...]] = {
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "summary": ("_sum", "_count", "_created"),
    "counter": ("_created",),
    "gauge": (),
}
# what a word must begin with to be taken for the name of a metric of theirs
_NAME = re.compile(
    r"(?<![\w:.])(?:vllm:|llm_d_epp_|llm_d_inference_scheduler_|inference_(?:objective|extension|pool)_)[a-z0-9_]+"
)


@dataclass(frozen=True, slots=True)
class CatalogueMetric:
    """A metric family. `since`: the first version known to have it, `until`: the first known to lack it again (None:
    the newest has it); versions are vLLM's of an engine, llm-d dialects (0.5, current) of a picker. `when` names what
    must be configured for it to be there. `renamed`: its present name."""

    name: str
    owner: Owner
    type: str
    help: str
    unit: str | None
    labels: tuple[str, ...]
    since: str
    until: str | None = None
    when: str | None = None
    renamed: str | None = None

    @property
    def series(self) -> tuple[str, ...]:
        """The names of its series on a page."""
        plain = () if self.type == "histogram" else (self.name,)
        return (*plain, *(self.name + suffix for suffix in _SUFFIXES.get(self.type, ())))


@functools.cache
def catalogue() -> Mapping[str, CatalogueMetric]:
    """All metrics by name."""
    found = dict(_engine())
    for name, metric in _picker().items():
        found.setdefault(name, metric)
    return found


def metric_of_series(series: str) -> CatalogueMetric | None:
    """The metric that a series on a page, or in a query, belongs to; None for one that nobody exports."""
    return _by_series().get(series)


def names_in(text: str) -> set[str]:
    """Names of engine and picker series that a query, a dashboard or a rule speaks of."""
    return set(_NAME.findall(text))


def unknown_names(texts: Iterable[str]) -> set[str]:
    """Of the names in these texts those that no version exports: queries for them answer nothing, for ever."""
    return {name for text in texts for name in names_in(text) if metric_of_series(name) is None}


def _engine() -> dict[str, CatalogueMetric]:
    found: dict[str, CatalogueMetric] = {}
    versions = sorted(facts.TABLE_VERSIONS, key=lambda text: tuple(map(int, text.split("."))))
    for number, version in enumerate(versions):
        table = facts.metrics(version)
        for name, row in table.items():
            having = [one for one in versions[number:] if name in facts.metrics(one)]
            last = versions.index(having[-1])
            found.setdefault(
                name,
                CatalogueMetric(
                    name=name,
                    owner="engine",
                    type=row.type,
                    help=row.help,
                    unit=row.unit,
                    labels=row.labels,
                    since=version,
                    until=versions[last + 1] if last + 1 < len(versions) else None,
                    when=row.when,
                ),
            )
    return found


@functools.cache
def _picker() -> Mapping[str, CatalogueMetric]:
    text = resources.files("apps.catalog").joinpath("data", "llm-d", "metrics.json").read_text(encoding="utf-8")
    return {
        row["name"]: CatalogueMetric(
            name=row["name"],
            owner="picker",
            type=row["type"],
            help=row["help"],
            unit=row.get("unit"),
            labels=tuple(row.get("labels", ())),
            since=row["since"],
            until=row.get("until"),
            renamed=row.get("renamed"),
        )
        for row in json.loads(text)["metrics"]
    }


def picker_metrics() -> Mapping[str, CatalogueMetric]:
    """Those of an endpoint picker."""
    return _picker()


@functools.cache
def _by_series() -> Mapping[str, CatalogueMetric]:
    return {series: metric for metric in catalogue().values() for series in metric.series}
