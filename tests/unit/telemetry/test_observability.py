"""The Grafana dashboard and alert rules that are shipped: made from the catalogue, and free of the usual lies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

from apps.catalog.domain.vllm.facts import metrics
from apps.telemetry.domain import gateway
from apps.telemetry.domain.failures import CLIENT_CODES, kind_of
from apps.telemetry.domain.observability import alert_rules, dashboard, panel_queries
from apps.telemetry.domain.panels import PANELS
from apps.telemetry.management.commands.render_observability import rendered

QUERIES = [(panel.name, query) for panel in PANELS.values() for _, query in panel_queries(panel)]
RULES = [(rule["alert"], rule["expr"]) for group in alert_rules()["groups"] for rule in group["rules"]]
EVERYTHING = QUERIES + RULES
METRIC = re.compile(r"\b(?:vllm:|llm_d_epp_|inference_|lamplight_)[a-z0-9_:]+")
# what only Lamplight knows: no Prometheus has it
OURS_ALONE = {"accelerators", "cost", "cost_per_mtok"}


@pytest.mark.parametrize("name", rendered())
def test_what_is_shipped_is_what_the_catalogue_makes(name: str) -> None:
    path = Path(settings.BASE_DIR, name)
    assert path.read_text(encoding="utf-8") == rendered()[name], "run: manage.py render_observability"


def test_every_panel_is_in_the_dashboard() -> None:
    titles = {panel["title"] for panel in dashboard()["panels"] if panel["type"] != "row"}
    assert titles == {panel.title for panel in PANELS.values() if panel.name not in OURS_ALONE}
    for panel in PANELS.values():
        assert bool(panel_queries(panel)) == (panel.name not in OURS_ALONE), panel.name


def test_panels_do_not_overlap() -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]


def known_metrics() -> set[str]:
    names = set(metrics("0.32")) & set(metrics("0.33"))
    table = gateway.TABLE
    names |= {place.metric for group in (table.counters, table.gauges) for places in group.values() for place in places}
    names |= {name for places in table.families.values() for name in places}
    return names


@pytest.mark.parametrize(("name", "query"), EVERYTHING)
def test_every_metric_is_in_the_catalogue(name: str, query: str) -> None:
    known = known_metrics()
    for metric in METRIC.findall(query):
        bare = re.sub(r"_(bucket|sum|count)$", "", metric)
        assert metric in known or bare in known, metric


@pytest.mark.parametrize(("name", "query"), EVERYTHING)
def test_none_of_the_usual_lies(name: str, query: str) -> None:
    if "histogram_quantile" in query:
        assert re.search(r"histogram_quantile\([\d.]+, sum by \(le\) \(rate\(", query), "a quantile of buckets by le"
    # a counter without rate is a lifetime; a sum of seconds without a count is no time
    for counter in re.findall(r"\b[a-z_:0-9]+_total\b", query):
        assert re.search(rf"rate\({counter}\b|count\({counter}\b", query), counter
    if "_sum{" in query:
        assert "_count{" in query
    if re.search(r"\) / |\]\)\) / ", query):
        assert "> 0)" in query, "nothing over nothing is no 0"
    assert "or vector(0)" not in query
    assert not re.search(r"sum\s*(by \([^)]*\) )?\(vllm:kv_cache_usage_perc", query), "a share is not added up"


@pytest.mark.parametrize(
    "code",
    ["400", "401", "404", "408", "413", "422", "428", "429", "499", "500", "503", "504", "BadRequest", "Internal"],
)
def test_the_expression_of_client_codes_says_what_we_say(code: str) -> None:
    assert bool(re.fullmatch(CLIENT_CODES, code)) == (kind_of(code) == "client")
