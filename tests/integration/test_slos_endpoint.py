"""SLOs on an Endpoint: judged by the gateways of all pools that it names, over a real Postgres, through REST."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.core import clock, services
from apps.core.domain.access import Role
from apps.endpoints.models import Endpoint
from apps.pools.models import Pool
from apps.reconcile.models import QueueItem
from apps.slos import ticking
from apps.slos.kinds import SLO_KIND
from apps.slos.models import Alert, Webhook
from apps.slos.rules import rules_of_pools
from apps.slos.selectors import slos_of_pools
from apps.telemetry.classes import classes_of
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.histogram import Histogram
from tests.support.people import Api, api_of, person
from tests.support.pools import BY, cluster_document, declare, model_document, pool_document
from tests.support.signals import minutes, store_minutes

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
PROMISE = "90 % of requests of tenant acme have E2E latency within 1 s over 1 d"
E2E = {"metric": "e2e", "threshold": "1s", "fraction": "90%", "window": "1d"}


def rules_of_pool(pool: Pool) -> list[Any]:
    return list(rules_of_pools([pool])[pool.uid])


@pytest.fixture
def api(tmp_path: Path) -> Api:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("{}")
    with clock.frozen(START):
        declare(
            cluster_document(str(kubeconfig)), model_document(),
            *(pool_document(name) for name in ("blue", "green", "spare", "other")),
            front({"pool": "blue", "weight": 9}, {"pool": "green", "weight": 1}, failover=["spare"]),
        )  # fmt: skip
    return api_of(person("eve", default=Role.EDITOR))


def front(*backends: dict[str, Any], **model: Any) -> dict[str, Any]:
    models = [{"name": "public", "backends": list(backends), **model}]
    spec = {"cluster": "embedded", "namespace": "serving", "models": models}
    return {"kind": "Endpoint", "metadata": {"name": "front"}, "spec": spec}


def promise(api: Api, name: str = "public", status: int = 201, **changes: Any) -> Any:
    spec = {"targetRef": {"kind": "Endpoint", "name": "front"}, "objectives": [E2E], **changes}
    document = {"apiVersion": "lamplight.dev/v1", "kind": "SLO", "metadata": {"name": name}, "spec": spec}
    answer = api.send("POST", "teams/default/slos", document)
    assert answer.status_code == status, answer.content
    return answer.json()


def serve(name: str, good: int, bad: int, *, count: int = 60, start: datetime = START, **values: Any) -> None:
    """Minutes of a pool at its gateway, each with so many requests within and beyond a second."""
    counted: dict[str, Any] = {
        "counts": {"gateway.requests": float(good + bad)},
        "histograms": {"gateway.e2e": Histogram({(0.5, 1.0): good, (1.0, 2.0): bad})},
        "sources": {"gateway": {"targets": 1, "scraped": 1}},
    }
    store_minutes(Pool.objects.get(name=name).uid, minutes(start, count, **{**counted, **values}))


def judged(api: Api, name: str = "public", at: datetime = START + timedelta(minutes=60)) -> dict[str, Any]:
    with clock.frozen(at + timedelta(seconds=15)):
        assert ticking.run_tick()
        status: dict[str, Any] = api.get(f"teams/default/slos/{name}")["status"]
    return status


def test_the_pools_of_an_endpoint_are_counted_together(api: Api) -> None:
    promise(api)
    serve("blue", 90, 0)
    serve("green", 5, 5)
    serve("spare", 0, 0)
    # a pool that the endpoint does not name
    serve("other", 0, 100)
    status = judged(api)
    (objective,) = status["objectives"]
    assert (status["measuredAt"], status["pools"]) == ("gateway", ["blue", "green", "spare"])
    assert (objective["attained"], objective["events"], objective["bad"]) == (0.95, 6000, 300)
    assert (objective["state"], objective["knownShare"], objective["exact"]) == ("Met", 1, True)
    assert objective["message"].startswith(
        "95 % against the promise that 90 % of requests have E2E latency within 1 s over 1 d; "
        "50 % of the error budget is left"
    )
    with clock.frozen(START + timedelta(minutes=60)):
        calendar = api.get("teams/default/slos/public/attainment?step=3600")["items"][0]
        budget = api.get("teams/default/slos/public/budget")["items"][0]
        burn = api.get("teams/default/slos/public/burn")["items"][0]
    assert [(step["attained"], step["knownShare"]) for step in calendar["steps"] if step["events"]] == [(0.95, 1.0)]
    assert budget["budget"]["left"] == budget["history"][-1][1] == pytest.approx(0.5)
    assert {one["rate"] for one in burn["burn"] if one["window"] in ("5m", "1h")} == {0.5}
    # the autoscaler of a pool acts on what is promised of the pool, not of what stands in front of it
    assert slos_of_pools([("default", "blue")]) == {}


def test_a_pool_that_is_not_measured_leaves_the_endpoint_unknown(api: Api) -> None:
    promise(api)
    serve("blue", 90, 0)
    serve("spare", 0, 0)
    serve("green", 0, 0, counts={}, histograms={}, sources={"gateway": {"targets": 1, "scraped": 0, "reason": "away"}})
    (objective,) = judged(api)["objectives"]
    assert (objective["attained"], objective["state"], objective["knownShare"]) == (1.0, "NoData", 0)
    ready = next(c for c in api.get("teams/default/slos/public")["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "NotMeasured")
    assert ready["message"] == (
        "Nothing of the endpoint picker of a pool that Endpoint front names was read in the last five minutes: "
        "`lamp integrity pool NAME` of each says why."
    )


def test_a_pool_that_joins_is_counted_from_then_on(api: Api) -> None:
    promise(api)
    for name in ("blue", "green", "spare"):
        serve(name, 10, 0)
    judged(api)
    later = START + timedelta(minutes=60)
    with clock.frozen(later):
        declare(pool_document("fresh"), front({"pool": "blue", "weight": 1}, {"pool": "fresh", "weight": 1}))
    serve("blue", 10, 0, start=later, count=30)
    serve("fresh", 5, 5, start=later, count=30)
    status = judged(api, at=later + timedelta(minutes=30))
    (objective,) = status["objectives"]
    assert status["pools"] == ["blue", "fresh"]
    # ninety minutes of blue, thirty of fresh, which began later and misses nothing
    assert (objective["events"], objective["bad"], objective["knownShare"]) == (1200, 150, 1)


def test_one_tenant_of_an_endpoint_and_the_alert_that_names_it(api: Api) -> None:
    Webhook.objects.create(team="default", name="oncall", spec={"url": "https://hooks.test/x"}, created_at=START,
                           updated_at=START)  # fmt: skip
    promise(api, traffic={"tenant": "acme"})
    assert classes_of([("default", name) for name in ("blue", "spare", "other")]) == {
        ("default", "blue"): (TrafficClass("acme"),),
        ("default", "spare"): (TrafficClass("acme"),),
    }
    of_acme = {
        "counts": {"gateway.requests": 100.0, "gateway.requests@tenant=acme": 10.0},
        "histograms": {
            "gateway.e2e": Histogram({(0.5, 1.0): 100}), "gateway.e2e@tenant=acme": Histogram({(1.0, 2.0): 10}),
        },
    }  # fmt: skip
    for name in ("blue", "green", "spare"):
        serve(name, 0, 0, **of_acme)
    (objective,) = judged(api)["objectives"]
    assert (objective["state"], objective["promise"]) == ("Breached", PROMISE)
    assert f"against the promise that {PROMISE}" in objective["message"]
    told = api.get("alerts?endpoint=front")["items"]
    assert {(one["pool"], one["traffic"], one["objective"]) for one in told} == {("", "tenant=acme", "e2e-1s-1d")}
    assert told[0]["target"] == {"kind": "Endpoint", "name": "front"}
    assert told[0]["reason"].startswith("The error budget burns 10 times too fast over the last 5 min and ")
    assert told[0]["reason"].count(PROMISE) == 1
    assert api.get("alerts?pool=front")["items"] == []
    message = Webhook.objects.get().deliveries.order_by("created_at").first()
    assert message.payload["data"]["target"] == {"kind": "Endpoint", "name": "front"}
    assert "tenant acme" in message.payload["data"]["promise"]


def test_what_cannot_be_measured_is_refused(api: Api) -> None:
    sentences = {
        "engine": promise(api, status=422, measuredAt="engine")["errors"][0]["detail"],
        "absent": promise(api, status=422, targetRef={"kind": "Endpoint", "name": "none"})["errors"][0]["detail"],
        # the name of a pool is none of an endpoint
        "pool": promise(api, status=422, targetRef={"kind": "Endpoint", "name": "blue"})["errors"][0]["detail"],
    }
    assert "an Endpoint is measured at the gateways of its pools" in sentences["engine"]
    assert "none" in sentences["absent"]
    assert "blue" in sentences["pool"]
    declare(pool_document("blue", routing={"picker": False}))
    blind = promise(api, status=422)["errors"][0]
    assert blind["pointer"] == "/spec/targetRef/name"
    assert "names pool blue, which has no endpoint picker" in blind["detail"]


def test_an_endpoint_that_goes_ends_its_alerts(api: Api) -> None:
    promise(api)
    for name in ("blue", "green", "spare"):
        serve(name, 0, 10)
    judged(api)
    assert Alert.objects.filter(state="firing").count() == 1
    Endpoint.objects.all().delete()
    with clock.frozen(START + timedelta(minutes=62)):
        ticking.run_tick()
    assert {alert.resolution for alert in Alert.objects.all()} == {"What the SLO is about is gone."}


def test_its_rules_stand_with_the_first_pool_and_add_up_all(api: Api) -> None:
    promise(api)
    queued = {item.uid for item in QueueItem.objects.filter(kind="Pool")}
    assert {Pool.objects.get(name=name).uid for name in ("blue", "green", "spare")} <= queued
    (group,) = rules_of_pool(Pool.objects.get(name="blue"))
    assert list(rules_of_pool(Pool.objects.get(name="green"))) == []
    assert group["name"] == "lamplight-slo-public"
    recorded = next(rule for rule in group["rules"] if "record" in rule)
    assert 'job=~"serving/blue|serving/green|serving/spare"' in recorded["expr"]
    assert recorded["labels"] == {
        "slo": "public", "team": "default", "endpoint": "front", "objective": "e2e-1s-1d",
    }  # fmt: skip
    # the pools move: so do the rules
    QueueItem.objects.all().delete()
    declare(front({"pool": "green", "weight": 1}))
    assert {Pool.objects.get(name=name).uid for name in ("blue", "green")} <= {
        item.uid for item in QueueItem.objects.filter(kind="Pool")
    }
    assert list(rules_of_pool(Pool.objects.get(name="blue"))) == []
    (group,) = rules_of_pool(Pool.objects.get(name="green"))
    assert 'job="serving/green"' in str(group)
    services.delete(SLO_KIND, team="default", name="public", etags=("*",), by=BY)
    assert list(rules_of_pool(Pool.objects.get(name="green"))) == []
