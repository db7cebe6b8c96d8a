"""SLOs over a real Postgres: minutes of signals in; status, conditions, calendar, budget and burn out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.core import clock
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from apps.pools.models import Pool
from apps.slos import measuring, ticking
from apps.slos.models import SLO, LedgerPoint, Series
from apps.telemetry.classes import classes_of
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.histogram import Histogram
from tests.support.people import Api, api_of, person, team
from tests.support.signals import minutes, store_minutes, whole_until

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
DAY = 86_400.0


@pytest.fixture
def pool() -> Pool:
    team("default")
    spec = {"model": "m", "routing": {"picker": False}, "variants": [{"name": "a"}]}
    return Pool.objects.create(team="default", name="chat", spec=spec, created_at=START, updated_at=START)


@pytest.fixture
def api() -> Iterator[Api]:
    team("platform")
    yield api_of(person("eve", default=Role.EDITOR))


def declare(api: Api, *objectives: dict, name: str = "fast") -> None:
    spec = {"targetRef": {"name": "chat"}, "measuredAt": "engine", "objectives": list(objectives)}
    document = {"apiVersion": "lamplight.dev/v1", "kind": "SLO", "metadata": {"name": name}, "spec": spec}
    if SLO.objects.filter(name=name).exists():
        answer = api.send("PUT", f"teams/default/slos/{name}", document, If_Match="*")
    else:
        answer = api.send("POST", "teams/default/slos", document)
    assert answer.status_code in (200, 201), answer.content


def ttft(threshold: str = "500ms", fraction: str = "95%", window: str = "1d") -> dict:
    return {"metric": "ttft", "threshold": threshold, "fraction": fraction, "window": window}


def served(good: int, bad: int) -> dict:
    return {
        "counts": {"requests": float(good + bad)},
        "histograms": {"ttft": Histogram({(0.2, 0.25): good, (0.8, 1.0): bad})},
    }


def tick(at: datetime) -> int | None:
    with clock.frozen(at + timedelta(seconds=20)):
        return ticking.run_tick()


def test_a_tick_judges_what_minutes_say(pool: Pool, api: Api) -> None:
    declare(api, ttft(), {"metric": "errors", "fraction": "99%", "window": "1d"})
    store_minutes(pool.uid, minutes(START, 120, **served(97, 3)))
    now = START + timedelta(minutes=120)
    assert tick(now) == 1
    slo = api.get("teams/default/slos/fast")
    status = slo["status"]
    met = next(c for c in status["conditions"] if c["type"] == "Met")
    assert (met["status"], met["reason"], met["observedGeneration"]) == ("True", "Met", 1)
    assert status["summary"]["message"].startswith(
        "97 % against the promise that 95 % of requests have TTFT within 500 ms over 1 d; "
        "40 % of the error budget is left"
    )
    objective, errors = status["objectives"]
    assert (objective["attained"], objective["exact"], objective["events"], objective["bad"]) == (
        0.97,
        True,
        12000,
        360,
    )
    assert objective["budget"]["left"] == pytest.approx(0.4)
    assert objective["knownShare"] == 1
    assert [b["rate"] for b in objective["burn"] if b["window"] in ("5m", "1h")] == [0.6, 0.6]
    assert (errors["attained"], errors["threshold"], errors["state"]) == (1.0, None, "Met")
    # again without news: nothing is written and nothing told
    told = OutboxEvent.objects.count()
    assert tick(now) == 1
    assert OutboxEvent.objects.count() == told


def test_a_promise_to_one_tenant_is_judged_by_its_requests_alone(pool: Pool, api: Api) -> None:
    for name, traffic in (("everybody", None), ("acme", {"tenant": "acme"})):
        objective = {"metric": "e2e", "threshold": "1s", "fraction": "90%", "window": "1d"}
        spec = {"targetRef": {"name": "chat"}, "measuredAt": "gateway", "objectives": [objective]}
        body = {"kind": "SLO", "metadata": {"name": name}, "spec": spec | ({"traffic": traffic} if traffic else {})}
        assert api.send("POST", "teams/default/slos", {"apiVersion": "lamplight.dev/v1", **body}).status_code == 201
    assert classes_of([("default", "chat"), ("default", "none")]) == {("default", "chat"): (TrafficClass("acme"),)}
    everybody = Histogram({(0.5, 1.0): 95, (1.0, 2.0): 5})
    mine = Histogram({(0.5, 1.0): 5, (1.0, 2.0): 5})
    counted = {
        "counts": {"gateway.requests": 100.0, "gateway.requests@tenant=acme": 10.0},
        "histograms": {"gateway.e2e": everybody, "gateway.e2e@tenant=acme": mine},
        "sources": {"gateway": {"targets": 1, "scraped": 1}},
    }
    store_minutes(pool.uid, minutes(START, 60, **counted))
    assert tick(START + timedelta(minutes=60)) == 2
    found = {slo["metadata"]["name"]: slo["status"]["objectives"][0] for slo in api.get("slos")["items"]}
    assert (found["everybody"]["attained"], found["everybody"]["state"]) == (0.95, "Met")
    assert (found["acme"]["attained"], found["acme"]["state"], found["acme"]["events"]) == (0.5, "Breached", 600)
    with clock.frozen(START + timedelta(minutes=61)):
        steps = api.get("teams/default/slos/acme/attainment?step=3600")["items"][0]["steps"]
    assert {step["attained"] for step in steps if step["events"]} == {0.5}


def test_unknown_time_is_neither_good_nor_bad(pool: Pool, api: Api) -> None:
    declare(api, ttft())
    store_minutes(pool.uid, minutes(START, 60, **served(100, 0)))
    dark = START + timedelta(minutes=60)
    store_minutes(pool.uid, minutes(dark, 60, targets=1, scraped=0, reason="frozen"))
    tick(START + timedelta(minutes=120))
    (objective,) = SLO.objects.get().status["objectives"]
    assert (objective["attained"], objective["knownShare"], objective["state"]) == (1.0, 0.5, "Met")
    assert "50 % of the time was measured" in objective["message"]
    assert next(b for b in objective["burn"] if b["window"] == "5m")["state"] == "unknown"
    # telemetry itself stops: after a while the time that passes is unknown too
    tick(START + timedelta(minutes=180))
    (objective,) = SLO.objects.get().status["objectives"]
    assert objective["state"] == "NoData"
    met = next(c for c in SLO.objects.get().conditions if c["type"] == "Met")
    assert (met["status"], met["reason"]) == ("Unknown", "NoData")


def test_an_edited_threshold_is_judged_over_the_whole_history_at_once(pool: Pool, api: Api) -> None:
    declare(api, ttft("500ms"))
    store_minutes(pool.uid, minutes(START, 300, **served(90, 10)))
    now = START + timedelta(minutes=300)
    tick(now)
    assert SLO.objects.get().status["state"] == "Breached"
    declare(api, ttft("1s"))
    tick(now)
    slo = SLO.objects.get()
    (objective,) = slo.status["objectives"]
    assert (objective["attained"], objective["events"], objective["state"]) == (1.0, 30_000, "Met")
    assert Series.objects.count() == 2
    # the old one is forgotten when nobody has asked for it for a week
    with clock.frozen(now + timedelta(days=8)):
        measuring.thin(clock.now())
    assert Series.objects.count() == 0


def test_a_status_of_another_generation_is_not_written(pool: Pool, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    declare(api, ttft())
    store_minutes(pool.uid, minutes(START, 10, **served(90, 10)))
    plain = ticking.spans_of

    def declared_meanwhile(*args, **kwargs):
        SLO.objects.update(generation=7)
        return plain(*args, **kwargs)

    monkeypatch.setattr(ticking, "spans_of", declared_meanwhile)
    tick(START + timedelta(minutes=10))
    assert SLO.objects.get().status == {}


def test_windows_slide(pool: Pool, api: Api) -> None:
    declare(api, ttft(window="1h"))
    store_minutes(pool.uid, minutes(START, 60, **served(50, 50)))
    tick(START + timedelta(minutes=60))
    assert SLO.objects.get().status["objectives"][0]["attained"] == 0.5
    store_minutes(pool.uid, minutes(START + timedelta(minutes=60), 30, **served(100, 0)))
    tick(START + timedelta(minutes=90))
    assert SLO.objects.get().status["objectives"][0]["attained"] == 0.75
    store_minutes(pool.uid, minutes(START + timedelta(minutes=90), 30, **served(100, 0)))
    tick(START + timedelta(minutes=120))
    assert SLO.objects.get().status["objectives"][0]["attained"] == 1.0


def test_calendar_budget_and_burn_over_rest(pool: Pool, api: Api) -> None:
    declare(api, ttft(window="28d"))
    store_minutes(pool.uid, minutes(START, 60, **served(100, 0)))
    later = START + timedelta(hours=2)
    store_minutes(pool.uid, minutes(later, 60, **served(80, 20)))
    now = START + timedelta(hours=3)
    tick(now)
    with clock.frozen(now + timedelta(seconds=10)):
        calendar = api.get(f"teams/default/slos/fast/attainment?from={START.timestamp():.0f}&step=3600")
        budget = api.get("teams/default/slos/fast/budget?step=3600&from=2026-11-23T12:00:00Z")
        burn = api.get("teams/default/slos/fast/burn")
    (item,) = calendar["items"]
    assert item["key"] == "ttft-500ms-28d"
    assert [step["state"] for step in item["steps"][:3]] == ["met", "unknown", "breached"]
    assert [step["attained"] for step in item["steps"][:3]] == [1.0, None, 0.8]
    assert [step["bad"] for step in item["steps"][:3]] == [0, 0, 1200]
    (left,) = budget["items"]
    assert left["budget"]["left"] == pytest.approx(-1.0)
    assert left["budget"]["exhaustedAt"] is not None
    assert [value for _, value in left["history"][:4]] == [None, 1.0, 1.0, -1.0]
    (rates,) = burn["items"]
    assert next(b for b in rates["burn"] if b["window"] == "1h")["rate"] == pytest.approx(4.0)
    # of six hours only two were measured
    assert next(b for b in rates["burn"] if b["window"] == "6h")["state"] == "unknown"
    assert [pair["pair"] for pair in rates["alerts"]] == ["5m/1h", "30m/6h", "6h/3d"]


def test_before_the_first_tick_nothing_is_claimed(pool: Pool, api: Api) -> None:
    declare(api, ttft())
    assert api.get("teams/default/slos/fast/attainment")["items"][0]["steps"] == []
    (item,) = api.get("teams/default/slos/fast/budget")["items"]
    assert (item["state"], item["budget"]["left"]) == ("NoData", None)
    answer = api.send("GET", "teams/default/slos/fast/attainment?step=1&from=2026-01-01T00:00:00Z")
    assert answer.status_code == 400
    assert api.send("GET", "teams/default/slos/none/burn").status_code == 404


def test_a_long_stop_is_caught_up_from_history(pool: Pool, api: Api) -> None:
    declare(api, ttft(window="7d"))
    store_minutes(pool.uid, minutes(START, 10, **served(10, 0)))
    tick(START + timedelta(minutes=10))
    store_minutes(pool.uid, minutes(START + timedelta(minutes=10), 5 * 60, **served(9, 1)))
    tick(START + timedelta(minutes=310))
    (objective,) = SLO.objects.get().status["objectives"]
    assert (objective["events"], objective["bad"]) == (3100, 300)
    assert objective["knownShare"] == 1


def test_the_ledger_is_thinned_and_windows_stay_right(pool: Pool, api: Api) -> None:
    declare(api, ttft(window="28d"))
    store_minutes(pool.uid, minutes(START, 11 * 60, **served(9, 1)))
    now = START + timedelta(hours=11)
    for hours in (1, 2, 4, 6, 8, 10, 11):
        whole_until(START + timedelta(hours=hours))
        tick(START + timedelta(hours=hours))
    assert LedgerPoint.objects.count() == 11 * 60
    before = SLO.objects.get().status["objectives"][0]
    measuring.thin(now)
    # three whole hours, and every minute of the last eight
    assert LedgerPoint.objects.count() == 3 + 8 * 60
    tick(now)
    assert SLO.objects.get().status["objectives"][0] == before


def test_one_tick_asks_a_fixed_number_of_times(api: Api, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for n in range(20):
        one = Pool.objects.create(
            team="default", name=f"p{n}", spec={"routing": {}}, created_at=START, updated_at=START
        )
        spec = {"targetRef": {"kind": "Pool", "name": one.name}, "measuredAt": "engine", "objectives": [ttft()]}
        SLO.objects.create(team="default", name=f"s{n}", spec=spec, created_at=START, updated_at=START)
        store_minutes(one.uid, minutes(START, 2, **served(9, 1)))
    whole_until(START + timedelta(minutes=1))
    tick(START + timedelta(minutes=1))
    whole_until(START + timedelta(minutes=2))
    # one for each status that moved, a dozen for all the rest
    with django_assert_max_num_queries(20 + 14):
        assert tick(START + timedelta(minutes=2)) == 20
