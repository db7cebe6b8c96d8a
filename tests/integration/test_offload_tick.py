"""Offload over a real Postgres: what collector and telemetry wrote goes in; plans, decisions and replays come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from apps.audit.models import Event
from apps.clusters.models import Cluster
from apps.core import clock
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from apps.offload import probing, services, ticking
from apps.offload.domain.store import StorePage
from apps.offload.engines import Endpoint, Publishers
from apps.offload.models import OffloadDecision, PoolState, Probe
from apps.pools.desired import tiers_and_replicas
from apps.pools.domain.tiers.plan import Tier, TierPlan
from apps.pools.models import Pool, TierPlanRow
from apps.pools.selectors import spec_of
from apps.pools.services import set_tier_plan
from apps.reconcile.models import QueueItem
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.signals import Signals
from apps.telemetry.services import Tick, record_tick
from tests.support.people import Api, api_of, person, team
from tests.unit.offload.pools import GIB, SIZE, watched

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 23, 12, 0, 5, tzinfo=UTC)
# seconds of events: more than is asked for before anything is tried
WINDOW = 3000.0
URL = "teams/default/pools/chat"
TIERS = [
    {"kind": "host", "bytes": "256Gi"},
    {"kind": "filesystem", "bytes": "500Gi", "claim": "kv-cache"},
]


class World:
    """A pool, and time that goes on by half a minute a tick."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mode: str = "auto", replicas: int = 1, **more: Any) -> None:
        spec = {
            "model": "m",
            "cluster": "c",
            "namespace": "n",
            "variants": [
                {"name": "h200", "accelerator": "nvidia-h200", "replicas": {"min": replicas, "max": replicas}}
            ],
            "offload": {"mode": mode, "tiers": TIERS},
            **more,
        }
        self.pool = Pool.objects.create(team="default", name="chat", spec=spec, created_at=START, updated_at=START)
        self.now = START
        self.canary_since: datetime | None = None
        self.canary_finds = 0.9
        self.publishers = Publishers(
            self.pool.uid, (Endpoint("u/0", "chat-h200-1", "tcp://127.0.0.1:1", ""),), ready={"chat-h200-1": "u"}
        )
        self.store: StorePage | None = None
        self.heard_at: datetime | None = None
        self.counted: dict[str, float] = {}
        monkeypatch.setattr(ticking, "find_publishers", lambda pools=None: [self.publishers])
        monkeypatch.setattr(
            ticking, "find_stores", lambda pools: {self.pool.uid: self.store} if self.store is not None else {}
        )

    def free_accelerators(self, free: int) -> None:
        """The pool's cluster was last seen to have so many."""
        seen = [{"resource": "nvidia.com/gpu", "product": "NVIDIA-H200", "total": 4, "free": free}]
        cluster = Cluster.objects.create(
            team="platform", name="c", spec={"credentials": {"kubeconfig": "/nowhere"}}, status={"accelerators": seen},
            created_at=START, updated_at=START,
        )  # fmt: skip
        Pool.objects.filter(uid=self.pool.uid).update(cluster_uid=cluster.uid)

    def canary_runs(self) -> None:
        """A second replica has the tiers: its first two minutes are cold, then nine tokens of ten are found."""
        self.publishers = replace(
            self.publishers, canary=("chat-h200-canary-1",), ready={"chat-h200-1": "u", "chat-h200-canary-1": "c"}
        )
        self.canary_since = self.now

    def totals(self) -> dict[str, tuple[UUID, PageReading, datetime]]:
        if self.canary_since is None:
            return {}
        minutes = (self.now - self.canary_since).total_seconds() / 60
        warm = max(0.0, minutes - 2)
        found = {}
        for uid, hits in (("u", 0.4 * minutes), ("c", self.canary_finds * warm)):
            prompt, device = minutes * 1e5, min(0.4 * minutes, hits) * 1e5
            host = hits * 1e5 - device
            counters = {
                "prompt_tokens": prompt, "source_device": device, "source_host": host,
                "source_computed": prompt - hits * 1e5, "offload_load_seconds": host * 131_072 / 41.6e9,
                "requests": minutes * 12, "ttft_sum": minutes * 12 * 0.2,
            }  # fmt: skip
            found[uid] = (self.pool.uid, PageReading(counters), self.now)
        return found

    def tick(self, *, collected: bool = True) -> OffloadDecision:
        self.now += timedelta(seconds=30)
        reuse, device = watched()
        share = 30.0 / WINDOW
        hits, wanted = device.hits * SIZE * share, device.wanted * SIZE * share
        counts = {
            "prefix_queries": wanted, "prefix_hits": hits, "prompt_tokens": wanted, "requests": 20.0,
            "source_device": hits, "source_computed": wanted - hits, "ttft_sum": 5.0, **self.counted,
        }  # fmt: skip
        row = Signals(at=self.now.timestamp(), seconds=30.0, targets=1, scraped=1, counts=counts, replicas={"ready": 1})
        with clock.frozen(self.now):
            record_tick(
                Tick(at=self.now, rows={(self.pool.uid, ""): row, (self.pool.uid, "h200"): row}, totals=self.totals())
            )
            if collected:
                services.store_reuse(
                    [
                        {
                            "pool": self.pool.uid,
                            "at": self.now,
                            "window": WINDOW,
                            "sketches": {
                                scope: {name: sketch.to_json() for name, sketch in sketches.items()}
                                for scope, sketches in (("replica", reuse.replica), ("pool", reuse.pool))
                            },
                            "engines": {
                                "u/0": {
                                    "pod": "chat-h200-1",
                                    "sequence": 9,
                                    "heard_at": (self.heard_at or self.now).timestamp(),
                                }
                            },
                            "counters": {"events": 9, "dropped": 0, "gaps": 0, "restarts": 0, "silent": []},
                            "rate": 1.0,
                            "samples": 2400,
                            "one_hit": 0.1,
                        }
                    ]
                )
            assert ticking.run_tick() == 1
        return OffloadDecision.objects.latest("id")


@pytest.fixture
def api() -> Iterator[Api]:
    team("platform")
    team("default")
    yield api_of(person("eve", default=Role.EDITOR))


@pytest.fixture
def world(api: Api, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def test_a_tier_that_pays_goes_through_the_pools_room_as_a_plan(world: World, api: Api) -> None:
    for _ in range(3):
        decision = world.tick()
    # nobody has said that an accelerator is free: the pool is compared with itself
    assert decision.verb in ("keep", "hold")
    moved = api.get(f"{URL}/offload/decisions?verb=moves")["items"]
    assert [one["verb"] for one in moved] == ["keep"]
    assert moved[0]["actuation"] == "Plan written."
    plan = TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan)
    assert [tier.kind for tier in plan.tiers] == ["host"]
    assert 150 * GIB < plan.tiers[0].bytes <= 256 * GIB
    assert plan.events
    assert QueueItem.objects.filter(uid=world.pool.uid).exists()
    assert Event.objects.filter(uid=world.pool.uid, reason="TiersSet", source="offload").exists()
    assert Event.objects.filter(uid=world.pool.uid, reason="TierKept").exists()
    assert OutboxEvent.objects.filter(uid=world.pool.uid, fields=["offload"]).exists()
    # what was decided makes no revision
    world.pool.refresh_from_db()
    assert (world.pool.generation, world.pool.version) == (1, 1)


def test_the_standing_the_curve_and_what_else_could_be(world: World, api: Api) -> None:
    for _ in range(2):
        world.tick()
    found = api.get(f"{URL}/offload")
    assert (found["mode"], found["measured"]["state"], found["measured"]["events"]) == ("auto", "ok", 9)
    by_kind = {tier["kind"]: tier for tier in found["tiers"]}
    assert by_kind["host"]["source"] == "assumed"
    assert by_kind["host"]["gain"]["gpuSecondsPerHour"] > 0
    assert by_kind["filesystem"]["verdict"] == "not measured"
    assert by_kind["filesystem"]["probe"] == "asked"

    curve = api.get(f"{URL}/offload/curve")
    rates = [point["hitRate"] for point in curve["points"]]
    assert rates == sorted(rates)
    assert curve["present"]["hitRate"] == pytest.approx(rates[0])
    assert curve["knee"]["hitRate"] > 0.8
    assert curve["tiers"]["curveHitRate"] == pytest.approx(curve["knee"]["hitRate"])
    assert curve["tiers"]["hitRate"] == by_kind["host"]["curve"]["hitRate"] == by_kind["host"]["hitRate"]
    assert curve["reuseTime"]["p95"] == pytest.approx(225, rel=0.2)
    assert api.get(f"{URL}/offload/curve?scope=pool")["scope"] == "pool"

    rows = api.get(f"{URL}/offload/what-if")["rows"]
    chosen = next(row for row in rows if row["chosen"])
    assert chosen["accelerators"] < 0
    assert "hit rate 0 → 8" in chosen["sentence"]
    (asked,) = api.get(f"{URL}/offload/what-if?host=32Gi")["rows"]
    assert asked["bytes"] == 32 * GIB
    assert asked["hitRate"] < chosen["hitRate"]


def test_decisions_replay_to_the_last_bit_and_holds_are_one_row(world: World, api: Api) -> None:
    for _ in range(6):
        world.tick()
    rows = list(OffloadDecision.objects.order_by("id"))
    assert len(rows) < 6
    assert sum(row.count for row in rows) == 6
    for row in rows:
        answer = api.get(f"{URL}/offload/decisions/{row.id}/replay")
        assert answer["equal"], answer["differs"]
    rows[0].record["gain"]["net"] += 1e-9
    rows[0].save()
    assert api.get(f"{URL}/offload/decisions/{rows[0].id}/replay")["differs"] == ["gain"]
    whole = api.get(f"{URL}/offload/decisions/{rows[-1].id}")
    assert {i["name"] for i in whole["inputs"]} >= {"wanted", "held", "bandwidth"}
    assert whole["options"]


def test_a_measured_volume_that_is_too_slow_is_refused_with_its_numbers(world: World, api: Api) -> None:
    world.tick()
    Probe.objects.update(state="done", result={"load": 2e9, "store": 1e9, "latency": 0.02}, finished_at=world.now)
    world.tick()
    tier = next(t for t in api.get(f"{URL}/offload")["tiers"] if t["kind"] == "filesystem")
    assert (tier["verdict"], tier["source"]) == ("refused", "probe")
    assert tier["gain"]["gpuSecondsPerHour"] < 0
    assert "at 2 GB/s (probe)" in tier["sentence"]


def test_without_a_collector_the_loop_is_blind_says_so_and_keeps_what_stands(world: World, api: Api) -> None:
    for _ in range(3):
        world.tick()
    before = TierPlanRow.objects.get(pool=world.pool).plan
    world.now += timedelta(minutes=5)
    decision = world.tick(collected=False)
    assert "is `manage.py kvevents` running?" in decision.sentence or decision.binding == "canary"
    world.publishers = Publishers(world.pool.uid, silent=("chat-h200-1",), ready={"chat-h200-1": "u"})
    found = api.get(f"{URL}/offload")
    assert found["measured"]["state"] == "blind"
    assert TierPlanRow.objects.get(pool=world.pool).plan == before


def test_advice_writes_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, mode="advisory")
    for _ in range(3):
        decision = world.tick()
    assert decision.verb == "advise"
    assert not TierPlanRow.objects.exists()
    assert Event.objects.filter(uid=world.pool.uid, reason="TierAdvised").exists()


def test_a_probe_is_asked_for_once_in_ten_minutes_by_people(world: World, api: Api) -> None:
    with clock.frozen(START):
        asked = api.send("POST", f"{URL}/offload/probe")
        again = api.send("POST", f"{URL}/offload/probe")
    assert (asked.status_code, again.status_code) == (202, 409)
    assert asked.json()["tiers"] == [{"kind": "filesystem", "claim": "kv-cache"}]
    assert "less than ten minutes ago" in again.json()["detail"]


class _Jobs:
    """A cluster that takes Jobs."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []

    def create(self, manifest: dict[str, Any], *, manager: str) -> None:
        self.jobs.append(manifest)


def test_a_bucket_is_measured_with_the_engines_keys_before_it_is_decided_on_and_another_one_anew(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = {"kind": "object", "bytes": "2Ti", "bucket": "kv", "endpoint": "https://s3.example.com", "secret": "keys"}
    world.pool.spec["offload"]["tiers"] = [bucket]
    world.pool.save(update_fields=["spec"])
    world.tick()
    assert api.get(f"{URL}/offload")["tiers"][-1]["verdict"] == "not measured"
    (row,) = Probe.objects.all()
    assert (row.kind, row.claim, row.state) == ("object", "https://s3.example.com/kv", "asked")
    cluster = _Jobs()
    monkeypatch.setattr(probing, "kube_for", lambda _: cluster)
    monkeypatch.setattr(probing, "cluster_of", lambda _: Cluster(team="default", name="c", spec={}))
    assert probing.run_probes() == 1
    (job,) = cluster.jobs
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["command"][3:5] == ["https://s3.example.com", "kv"]
    assert {one["valueFrom"]["secretKeyRef"]["name"] for one in container["env"]} == {"keys"}
    assert "volumes" not in job["spec"]["template"]["spec"]
    Probe.objects.update(state="done", result={"load": 30e9, "store": 30e9, "latency": 0.02}, finished_at=world.now)
    world.tick()
    found = api.get(f"{URL}/offload")["tiers"][-1]
    assert (found["kind"], found["verdict"], found["source"]) == ("object", "worth it", "probe")
    # what was measured says nothing of another bucket, and a Job that was asked for this one does not measure that
    Probe.objects.update(state="asked")
    world.pool.spec["offload"]["tiers"] = [{**bucket, "bucket": "other"}]
    world.pool.save(update_fields=["spec"])
    probing.run_probes()
    assert Probe.objects.get().problem == "the pool does not declare https://s3.example.com/kv any more"
    assert len(cluster.jobs) == 1
    world.tick()
    row = Probe.objects.get()
    assert (row.claim, row.state, row.result) == ("https://s3.example.com/other", "asked", {})


def test_a_tier_is_proposed_tried_on_one_replica_and_kept_and_a_slow_one_refused_with_the_numbers(
    world: World, api: Api
) -> None:
    world.free_accelerators(2)
    world.tick()
    Probe.objects.update(state="done", result={"load": 2e9, "store": 1e9, "latency": 0.02}, finished_at=world.now)
    world.tick()
    world.tick()
    (proposed,) = api.get(f"{URL}/offload/decisions?verb=moves")["items"]
    assert (proposed["verb"], proposed["plan"]["canary"]) == ("canary", True)
    assert "At" not in proposed["sentence"][:3]
    assert "break-even is" in proposed["sentence"]
    assert TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan).canary == "h200"

    world.canary_runs()
    for _ in range(40):
        decision = world.tick()
        if decision.verb == "keep":
            break
    assert decision.verb == "keep"
    found = api.get(f"{URL}/offload")
    assert (found["canary"]["state"], found["phase"]) == ("none", "steady")
    proof = found["proof"]
    assert (proof["kept"], [t["kind"] for t in proof["tiers"]]) == (True, ["host"])
    # of 100,000 prompt tokens a minute the others compute 60 %, the warm canary 10 %; it may have shown what it has to
    # before it was warm
    assert proof["without"]["hitRate"] == pytest.approx(0.4)
    assert 0.5 < proof["with"]["hitRate"] < 0.91
    assert 0 < proof["with"]["gpuSecondsPerKtok"] < proof["without"]["gpuSecondsPerKtok"]
    # what came from the tier by then (hits beyond the 40 % of the device) was not computed, of what the others took
    # (60 %), less the time of loading and what the connector does for each prompt
    most = (proof["with"]["hitRate"] - 0.4) / 0.6
    assert 0.5 * most < proof["measured"] / proof["without"]["gpuSecondsPerKtok"] < most
    plan = TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan)
    assert (plan.canary, [tier.kind for tier in plan.tiers]) == (None, ["host"])
    told = {event.reason: event.message for event in Event.objects.filter(uid=world.pool.uid, source="offload")}
    assert {"TierCanary", "TierKept", "TierRefused"} <= told.keys()
    assert "From the filesystem at 2 GB/s (probe)" in told["TierRefused"]
    assert Event.objects.filter(uid=world.pool.uid, reason="TierRefused").count() == 1
    timeline = api.get("timeline?kind=Pool&name=chat&source=event")["items"]
    assert {"TierCanary", "TierKept", "TierRefused"} <= {line["title"] for line in timeline}
    # long after, what was measured still stands in the sentence
    world.publishers = replace(world.publishers, canary=(), ready={"chat-h200-1": "u"})
    later = world.tick()
    assert "When it was tried, 1,000 prompt tokens took" in later.sentence


@pytest.mark.parametrize(("free", "begins"), [(2, "beside"), (0, "instead")])
def test_of_several_replicas_a_canary_takes_the_place_of_one_once_it_is_ready_and_stays_when_it_is_kept(
    monkeypatch: pytest.MonkeyPatch, free: int, begins: str
) -> None:
    world = World(monkeypatch, replicas=2)
    world.free_accelerators(free)

    def standing() -> TierPlan:
        return TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan)

    world.tick()
    proposed = world.tick()
    assert proposed.verb == "canary"
    assert "in the place of one that has none" in proposed.sentence
    world.tick()
    assert (standing().canary, standing().stands) == ("h200", begins), "it is not ready yet"
    world.canary_runs()
    for _ in range(3):
        world.tick()
    assert (standing().canary, standing().stands, standing().everywhere.tiers) == ("h200", "instead", ())
    for _ in range(40):
        decision = world.tick()
        if decision.verb == "keep":
            break
    assert decision.verb == "keep"
    assert (standing().canary, standing().stands) == ("h200", "kept")
    assert [tier.kind for tier in standing().everywhere.tiers] == ["host"]
    later = [world.tick() for _ in range(3)]
    assert {one.verb for one in later} == {"hold"}
    assert (standing().stands, later[-1].state["phase"]) == ("kept", "steady")


@pytest.mark.parametrize(("free", "meanwhile"), [(2, "beside"), (0, None)])
def test_of_several_replicas_none_is_missing_after_a_trial_that_failed(
    monkeypatch: pytest.MonkeyPatch, free: int, meanwhile: str | None
) -> None:
    """Where an accelerator is free the canary serves until one without tiers is ready; where none is, it makes room."""
    world = World(monkeypatch, replicas=2)
    world.canary_finds = 0.0
    world.free_accelerators(free)

    def standing() -> tuple[str | None, dict[str, int]]:
        pool = Pool.objects.get(uid=world.pool.uid)
        plan, replicas = tiers_and_replicas(pool, spec_of(pool))
        return plan.stands if plan.canary is not None else None, replicas

    world.tick()
    world.tick()
    world.canary_runs()
    world.publishers = replace(world.publishers, others={"h200": 1})
    for _ in range(3):
        world.tick()
    assert standing() == ("instead", {"h200": 1})
    for _ in range(200):
        decision = world.tick()
        if decision.verb == "roll-back":
            break
    assert decision.verb == "roll-back"
    assert standing() == (meanwhile, {"h200": 2})
    if meanwhile is not None:
        assert [world.tick().binding for _ in range(2)] == ["leaving", "leaving"], "the replica is starting"
        assert standing() == (meanwhile, {"h200": 2})
        world.publishers = replace(world.publishers, others={"h200": 2})
        assert world.tick().verb == "roll-back"
    assert standing() == (None, {"h200": 2})
    assert Event.objects.filter(uid=world.pool.uid, reason="TierRolledBack").count() == 1
    world.publishers = replace(world.publishers, canary=(), others={"h200": 2})
    assert world.tick().verb == "hold"


def test_where_engines_sleep_a_canary_stands_beside_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sleeps and who serves is counted in the pool's own Deployment: one outside it would never sleep."""
    world = World(monkeypatch, replicas=2, autoscaling={"mode": "active", "idle": "standby"})
    world.free_accelerators(2)
    world.tick()
    proposed = world.tick()
    assert proposed.verb == "canary"
    assert "in the place of" not in proposed.sentence
    world.canary_runs()
    for _ in range(3):
        world.tick()
    standing = TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan)
    assert (standing.canary, standing.stands) == ("h200", "beside")
    TierPlanRow.objects.filter(pool=world.pool).update(plan=replace(standing, stands="kept").to_json())
    plan, replicas = tiers_and_replicas(world.pool, spec_of(world.pool))
    assert (plan.canary, replicas) == (None, {"h200": 2}), "one kept before the pool was to sleep is one of them again"


def condition(api: Api) -> dict[str, Any]:
    found = next(one for one in api.get(URL)["status"]["conditions"] if one["type"] == "Offload")
    return {key: found[key] for key in ("status", "reason", "message")}


def test_a_condition_says_how_the_tiers_stand_and_goes_with_the_mode(world: World, api: Api) -> None:
    world.tick()
    world.tick()
    assert (condition(api)["status"], condition(api)["reason"]) == ("True", "Trying")
    world.pool.refresh_from_db()
    Pool.objects.filter(uid=world.pool.uid).update(spec={**world.pool.spec, "offload": {"mode": "off"}})
    with clock.frozen(world.now):
        ticking.run_tick()
    assert "Offload" not in {one["type"] for one in api.get(URL)["status"]["conditions"]}


def test_frozen_events_make_the_loop_blind_with_a_clear_condition(world: World, api: Api) -> None:
    world.tick()
    world.heard_at = world.now
    for _ in range(10):
        world.tick()
    assert condition(api)["reason"] != "Blind"
    before = TierPlanRow.objects.get(pool=world.pool).plan
    decision = world.tick()
    assert (condition(api)["status"], condition(api)["reason"]) == ("Unknown", "Blind")
    assert "since 12:00 UTC none of them has told of a block" in condition(api)["message"]
    assert decision.verb in ("blind", "hold")
    assert TierPlanRow.objects.get(pool=world.pool).plan == before


@pytest.mark.parametrize(
    ("page", "reason", "left"),
    [
        (StorePage(up=False), "VolumeUnreadable", ["host", "filesystem"]),
        (StorePage(up=True, canary_ok=False), "VolumeCorrupt", ["host"]),
        (StorePage(up=True, canary_ok=True, volume=1e12, free=1e8), "VolumeFull", ["host", "filesystem"]),
        (StorePage(up=True, canary_ok=True, quota=1e9, least_quota=2e9), "QuotaTooSmall", ["host", "filesystem"]),
        (StorePage(up=True, canary_ok=True, foreign_age=9.0), "FolderShared", ["host", "filesystem"]),
        (None, "StoreUnwatched", ["host", "filesystem"]),
    ],
)
def test_a_bad_volume_has_a_condition_and_an_untrusted_one_is_taken_off(
    world: World, api: Api, page: StorePage | None, reason: str, left: list[str]
) -> None:
    tiers = (Tier("host", 64 * GIB), Tier("filesystem", 500 * GIB, "kv-cache", 600))
    plan = TierPlan(tiers=tiers, events=True, source="offload", reason="a test")
    set_tier_plan(pool=world.pool, plan=plan, actor="system:offload", generation=1)
    PoolState.objects.create(pool=world.pool.uid, at=START, state={"phase": "steady", "changed_at": START.timestamp()})
    world.store = page
    world.tick()
    assert condition(api)["reason"] == reason
    assert condition(api)["status"] in ("False", "Unknown")
    told = api.get(f"{URL}/offload")["store"]
    assert (told and told["readable"]) == (page.up if page is not None else None)
    assert page is None or condition(api)["message"] == told["problem"]
    now = TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan)
    assert [tier.kind for tier in now.tiers] == left


def test_a_disk_that_becomes_slow_is_taken_off_and_the_condition_and_the_decision_say_why(
    world: World, api: Api
) -> None:
    tiers = (Tier("host", 64 * GIB), Tier("filesystem", 500 * GIB, "kv-cache", 600))
    plan = TierPlan(tiers=tiers, events=True, source="offload", reason="a test")
    set_tier_plan(pool=world.pool, plan=plan, actor="system:offload", generation=1)
    PoolState.objects.create(pool=world.pool.uid, at=START, state={"phase": "steady"})
    world.store = StorePage(up=True, canary_ok=True)
    # what engines count: 8 GB in 32 s of reading
    world.counted = {
        "tier_read_bytes:fs": 8e9, "tier_read_seconds:fs": 32.0,
        "tier_write_bytes:fs": 8e9, "tier_write_seconds:fs": 32.0,
    }  # fmt: skip
    world.free_accelerators(0)
    world.pool.refresh_from_db()
    beside = Pool.objects.create(
        team="default", name="other", spec=world.pool.spec | {"offload": {"mode": "off"}}, created_at=START,
        updated_at=START, cluster_uid=world.pool.cluster_uid, namespace=world.pool.namespace,
    )  # fmt: skip
    of_other = services.told(StorePage(up=True, used=3e9, quota=4e9), None, "kv-cache")
    PoolState.objects.create(pool=beside.uid, at=START, store=of_other)
    world.tick()
    store = api.get(f"{URL}/offload")["store"]
    assert store["worth"]["gpuSecondsPerHour"] < 0, "loading takes longer than computing would have"
    assert store["worth"]["sentence"].startswith("Engines load ")
    assert [(one["pool"], one["usedBytes"]) for one in store["pools"]] == [("chat", None), ("other", 3e9)]
    for _ in range(3):
        world.tick()
    now = TierPlan.from_json(TierPlanRow.objects.get(pool=world.pool).plan)
    assert [tier.kind for tier in now.tiers] == ["host"]
    (moved,) = api.get(f"{URL}/offload/decisions?verb=moves")["items"]
    assert moved["actuation"] == "Plan written."
    tier = next(one for one in api.get(f"{URL}/offload")["tiers"] if one["kind"] == "filesystem")
    assert (tier["verdict"], tier["source"]) == ("refused", "measured")
    assert "at 0.25 GB/s (measured)" in tier["sentence"]
    told = {event.reason: event.message for event in Event.objects.filter(uid=world.pool.uid, source="offload")}
    assert "From the filesystem at 0.25 GB/s" in told["TierRefused"]
    for _ in range(60):
        world.tick()
        if condition(api)["reason"] == "Decided":
            break
    assert (condition(api)["status"], condition(api)["reason"]) == ("True", "Decided")
    assert "Refused, for they load slower than they compute: filesystem." in condition(api)["message"]
