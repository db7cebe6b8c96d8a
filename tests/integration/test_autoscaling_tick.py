"""Autoscaling over a real Postgres: signals in; targets, decisions, their explanation and replay out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from apps.audit.models import Event
from apps.autoscaling import services, ticking
from apps.autoscaling.models import Decision, PoolState
from apps.core import clock
from apps.core.domain.access import Role
from apps.core.domain.shards import bounds
from apps.core.models import OutboxEvent
from apps.pools.models import Pool, ReplicaTarget
from apps.reconcile.models import QueueItem
from apps.telemetry import partitions
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import SignalTen
from apps.telemetry.selectors import recent
from apps.telemetry.services import Tick, record_tick
from tests.support.people import Api, api_of, person, team

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
URL = "teams/default/pools/chat"


class Traffic:
    """A pool whose engines tell of so many requests a second; time goes on by ten seconds a tick."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.now = pool, START

    def tick(self, rate: float | None, *, ready: int, starting: int = 0, held: float | None = None) -> int | None:
        self.now += timedelta(seconds=10)
        n = (rate or 0.0) * 10
        states = {"ready": ready, "starting": starting, "terminating": 0, "desired": ready + starting}
        row = Signals(at=self.now.timestamp(), seconds=10.0, targets=ready, scraped=ready, replicas=states)
        if rate is not None:
            row = Signals(
                at=self.now.timestamp(),
                seconds=10.0,
                targets=ready,
                scraped=ready,
                replicas=states,
                counts={"requests": n, "prompt_tokens": n * 1000, "cached_tokens": 0.0, "generation_tokens": n * 200},
                rates={"requests": n / 10},
                gauges={"running": n / 10 * 2, "waiting": 0.0, "kv_mean": 0.3, "kv_capacity_tokens": 9e5 * ready},
                histograms={"ttft": Histogram({(0.05, 0.1): n}), "itl": Histogram({(0.008, 0.012): n * 199})},
            )
        whole = row if held is None else replace(row, gauges={**row.gauges, "gateway.queue": held})
        with clock.frozen(self.now):
            record_tick(Tick(at=self.now, rows={(self.pool.uid, ""): whole, (self.pool.uid, "h200"): row}, totals={}))
        with clock.frozen(self.now + timedelta(seconds=2)):
            return ticking.run_tick()


@pytest.fixture
def api() -> Iterator[Api]:
    team("platform")
    team("default")
    yield api_of(person("eve", default=Role.EDITOR))


def make(mode: str = "active", **more: Any) -> Pool:
    team("default")
    spec = {
        "model": "m",
        "cluster": "c",
        "namespace": "n",
        "variants": [{"name": "h200", "accelerator": "nvidia-h200", "replicas": {"min": 1, "max": 12}}],
        "autoscaling": {"mode": mode, **more},
    }
    return Pool.objects.create(team="default", name="chat", spec=spec, created_at=START, updated_at=START)


def ramp(traffic: Traffic, rates: list[float], ready: int = 1) -> None:
    for rate in rates:
        traffic.tick(rate, ready=ready)


def target() -> int | None:
    return ReplicaTarget.objects.filter(variant="h200").values_list("desired", flat=True).first()


def test_a_tick_reads_the_signals_that_came_since_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def counted(pools: list[UUID], *, seconds: float) -> Any:
        found = recent(pools, seconds=seconds)
        read.append(sum(len(rows) for variants in found.values() for rows in variants.values()))
        return found

    monkeypatch.setattr(ticking, "recent", counted)
    traffic = Traffic(make())
    ramp(traffic, [5.0] * 6)
    # of the pool and of its variant, once each
    assert read == [2] * 6
    # a pool that was not decided for a while is given all that came meanwhile
    PoolState.objects.update(row_at=traffic.now - timedelta(seconds=40))
    assert traffic.tick(5.0, ready=1) == 1
    assert read[-1] == 2 * 6


def test_load_that_grows_is_met_through_the_pools_room_and_explained(api: Api) -> None:
    pool = make()
    traffic = Traffic(pool)
    ramp(traffic, [5.0] * 6 + [60.0] * 3)
    assert (target() or 0) >= 2
    written = ReplicaTarget.objects.get()
    assert written.source == "autoscaler"
    assert "requests/s are expected" in written.reason
    assert QueueItem.objects.filter(uid=pool.uid).exists()
    assert Event.objects.filter(uid=pool.uid, reason="TargetSet", source="autoscaler").exists()

    moves = api.get(f"{URL}/decisions?verb=moves")["items"]
    assert moves[0]["verb"] == "up"
    assert moves[0]["actuation"] == "Targets written."
    whole = api.get(f"{URL}/decisions/{moves[0]['id']}")
    assert {p["rule"] for p in whole["proposals"]} >= {"forecast", "hold"}
    assert any(i["name"] == "arrived" and i["state"] == "unknown" for i in whole["inputs"])
    assert [v["replicas"] for v in whole["counterfactuals"]]
    assert whole["quantiles"]["p90"] > whole["quantiles"]["p50"]
    assert OutboxEvent.objects.filter(uid=pool.uid, fields=["decisions"]).exists()


def test_a_decision_replays_from_the_database_to_the_last_bit(api: Api) -> None:
    traffic = Traffic(make())
    ramp(traffic, [5.0, 7.5, 11.1] * 4 + [60.0] * 6)
    assert Decision.objects.count() >= 2
    for row in Decision.objects.all():
        answer = api.get(f"{URL}/decisions/{row.id}/replay")
        assert answer["equal"], answer["differs"]
    row = Decision.objects.latest("id")
    row.record["cost"] += 1e-12
    row.save()
    answer = api.get(f"{URL}/decisions/{row.id}/replay")
    assert (answer["comparable"], answer["equal"], answer["differs"]) == (True, False, ["cost"])
    row.state["layout"] -= 1
    row.save()
    answer = api.get(f"{URL}/decisions/{row.id}/replay")
    assert (answer["comparable"], answer["equal"], answer["replayed"]) == (False, False, None)
    assert "older version" in answer["reason"]


def test_equal_holds_are_one_row_that_grows(api: Api) -> None:
    traffic = Traffic(make())
    ramp(traffic, [5.0] * 20)
    rows = api.get(f"{URL}/decisions")["items"]
    assert len(rows) <= 4
    assert sum(row["count"] for row in rows) == 20
    assert rows[0]["verb"] == "hold"


def test_a_run_of_holds_tells_what_it_rests_on_now(api: Api) -> None:
    traffic = Traffic(make())
    ramp(traffic, [0.0] * 2 + [5.0] * 20)
    (newest, *_) = api.get(f"{URL}/decisions")["items"]
    assert newest["count"] > 10
    whole = api.get(f"{URL}/decisions/{newest['id']}")
    as_of = datetime.fromisoformat(whole["at"].replace("Z", "+00:00"))
    assert datetime.fromisoformat(whole["firstAt"].replace("Z", "+00:00")) < as_of
    assert (traffic.now - as_of).total_seconds() <= 70
    finished = next(i for i in whole["inputs"] if i["name"] == "finished")
    assert finished["value"] == 50.0
    assert api.get(f"{URL}/decisions/{newest['id']}/replay")["equal"]


def test_advice_is_stored_and_told_and_nothing_is_written(api: Api) -> None:
    pool = make("advisory")
    ramp(Traffic(pool), [5.0] * 6 + [60.0] * 3)
    assert target() is None
    moves = api.get(f"{URL}/decisions?verb=up")["items"]
    assert moves
    assert moves[0]["actuation"].startswith("Advice only")
    assert Event.objects.filter(uid=pool.uid, reason="ScaleAdvised").exists()
    assert api.get(f"{URL}/autoscaling")["owner"].startswith("People set the replicas")


def test_advice_that_stands_is_one_row_that_grows(api: Api) -> None:
    pool = make("advisory")
    ramp(Traffic(pool), [5.0] * 6 + [120.0] * 16)
    advice = [row for row in api.get(f"{URL}/decisions")["items"] if row["verb"] == "up"]
    assert sum(row["count"] for row in advice) >= 12
    assert len(advice) <= 3
    assert Event.objects.filter(uid=pool.uid, reason="ScaleAdvised").count() == len(advice)
    assert api.get(f"{URL}/decisions/{advice[0]['id']}/replay")["equal"]


def test_an_advisory_pool_at_zero_does_not_repeat_its_advice(api: Api) -> None:
    pool = make("advisory", idle="zero")
    pool.spec["variants"][0]["replicas"]["min"] = 0
    pool.save()
    ReplicaTarget.objects.create(pool=pool, variant="h200", desired=0, source="person", updated_at=START)
    traffic = Traffic(pool)
    for _ in range(12):
        traffic.tick(0.0, ready=0, held=3.0)
    rows = api.get(f"{URL}/decisions")["items"]
    assert sum(row["count"] for row in rows) == 12
    assert len(rows) <= 2
    assert rows[0]["verb"] == "from-zero"


@pytest.mark.parametrize("mode", ["off", "external"])
def test_a_pool_that_others_scale_is_left_alone(mode: str) -> None:
    assert Traffic(make(mode)).tick(50.0, ready=1) == 0
    assert not Decision.objects.exists()


def test_signals_count_once_however_often_the_tick_runs() -> None:
    traffic = Traffic(make())
    ramp(traffic, [5.0] * 3)
    state = PoolState.objects.get().state
    with clock.frozen(traffic.now + timedelta(seconds=5)):
        assert ticking.run_tick() == 0
    assert PoolState.objects.get().state == state


def test_silence_freezes_and_never_lowers(api: Api) -> None:
    pool = make()
    traffic = Traffic(pool)
    ramp(traffic, [120.0] * 8)
    held = target()
    assert held is not None
    assert held >= 2
    for _ in range(12):
        traffic.tick(None, ready=held)
    assert target() == held
    newest = api.get(f"{URL}/autoscaling")["latest"]
    assert newest["verb"] in ("hold", "frozen")
    # telemetry itself stopped: decisions say so from time to time
    for _ in range(6):
        traffic.now += timedelta(seconds=35)
        with clock.frozen(traffic.now):
            assert ticking.run_tick() == 1
    assert target() == held


def test_a_shard_s_tick_decides_for_its_pools_only() -> None:
    pool = make()
    Traffic(pool).tick(5.0, ready=1)
    PoolState.objects.all().delete()
    with clock.frozen(START + timedelta(seconds=12)):
        decided = [ticking.run_tick(shard=shard, shards=3) for shard in range(3)]
    its = [bounds(shard, 3)[0] <= pool.uid <= bounds(shard, 3)[1] for shard in range(3)]
    assert decided == [int(mine) for mine in its]
    assert its.count(True) == 1


def test_start_up_times_are_learned_from_counts(api: Api) -> None:
    traffic = Traffic(make())
    ramp(traffic, [120.0] * 4)
    for _ in range(7):
        traffic.tick(60.0, ready=1, starting=1)
    traffic.tick(60.0, ready=2)
    learned = api.get(f"{URL}/autoscaling")["learned"]["variants"]["h200"]["startupSeconds"]
    assert learned is not None
    assert learned > 10
    measured = Pool.objects.get().status["startUp"]["h200"]
    assert 60 <= measured["p90"] <= 120
    assert measured["starts"] == [measured["p90"]]


def test_the_budget_is_a_clamp(api: Api) -> None:
    traffic = Traffic(make(budget="4.00 USD/h"))
    ramp(traffic, [5.0] * 6 + [60.0] * 3)
    assert target() in (None, 1)
    rules = {c["rule"] for row in Decision.objects.all() for c in row.record["clamps"]}
    assert "budget" in rules


def test_other_peoples_decisions_are_not_shown(api: Api) -> None:
    traffic = Traffic(make())
    ramp(traffic, [5.0] * 3)
    team("other")
    stranger = api_of(person("mallory", other=Role.EDITOR))
    assert stranger.get("decisions")["items"] == []
    number = Decision.objects.latest("id").id
    assert stranger.send("GET", f"{URL}/decisions/{number}").status_code == 404
    assert api.send("GET", f"teams/default/pools/chat/decisions/{number + 1000}").status_code == 404
    assert len(api.get("decisions?team=default")["items"]) >= 1
    assert api.send("GET", "decisions?verb=sideways").status_code == 400


def test_old_decisions_and_memories_go(api: Api) -> None:
    traffic = Traffic(make())
    ramp(traffic, [5.0] * 3)
    with clock.frozen(traffic.now + timedelta(days=31)):
        assert services.retire() >= 1
    assert not Decision.objects.exists()
    assert not PoolState.objects.exists()


def test_the_same_time_of_yesterday_and_last_week_is_a_forecast(api: Api) -> None:
    pool = make()
    for days, rate in ((1, 40.0), (7, 20.0)):
        store_tens(pool, START - timedelta(days=days, minutes=20), [rate] * 8)
    traffic = Traffic(pool)
    ramp(traffic, [5.0] * 3)
    season = Decision.objects.latest("id").signals["season"]
    assert season["value"] == pytest.approx(30.0)
    assert api.get(f"{URL}/decisions/{Decision.objects.latest('id').id}/replay")["equal"]


def test_a_pool_without_history_says_so() -> None:
    traffic = Traffic(make())
    ramp(traffic, [5.0] * 2)
    assert "value" not in Decision.objects.latest("id").signals["season"]


def store_tens(pool: Pool, begin: datetime, rates: list[float]) -> None:
    """Ten-minute rows from `begin` on."""
    made = []
    for index, rate in enumerate(rates):
        at = begin.replace(second=0) + timedelta(minutes=10 * (index + 1))
        partitions.ensure(partitions.TENS, at)
        row = Signals(at=at.timestamp(), seconds=600.0, targets=1, scraped=1, counts={"requests": rate * 600})
        made.append(
            SignalTen(pool=pool.uid, variant="", at=at, seconds=600.0, targets=1, scraped=1, reason="", **row.to_json())
        )
    SignalTen.objects.bulk_create(made)


def test_a_pool_that_is_handed_over_is_decided_published_and_not_written(api: Api) -> None:
    pool = make("external", handover="hpa")
    pool.namespace, pool.status = "serving", {"variants": [{"name": "h200", "desired": 1}]}
    pool.save()
    traffic = Traffic(pool)
    ramp(traffic, [5.0] * 6 + [60.0] * 3)
    assert target() is None
    moves = api.get(f"{URL}/decisions?verb=up")["items"]
    assert moves[0]["actuation"].startswith("Published")
    assert "HorizontalPodAutoscaler that Lamplight renders" in api.get(f"{URL}/autoscaling")["owner"]
    wanted = moves[0]["targets"][0]["replicas"]
    with clock.frozen(traffic.now + timedelta(seconds=5)):
        page = Client().get("/metrics/autoscaling").content.decode()
    labels = 'accelerator_type="nvidia-h200",namespace="serving",variant_name="chat-h200"'
    assert f"wva_desired_replicas{{{labels}}} {float(wanted)}" in page
    with clock.frozen(traffic.now + timedelta(seconds=300)):
        page = Client().get("/metrics/autoscaling").content.decode()
    assert "chat-h200" not in page, "what is old is not published: the scaler keeps what it has"
    assert Client().get("/metrics/autoscaling", HTTP_X_FORWARDED_FOR="1.2.3.4").status_code == 403
