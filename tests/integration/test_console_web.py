"""Fleet, probes and pages through Django's handlers on Postgres."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import DatabaseError
from django.test import Client, override_settings
from pytest_django import DjangoAssertNumQueries

from apps.clusters.models import Cluster
from apps.console import health
from apps.console.fleet import FleetView
from apps.console.kept import Keeper
from apps.core import clock
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from apps.pools.models import Pool
from apps.slos.models import SLO
from apps.telemetry.models import PoolSummary, Progress
from controlplane.supervisor.console_build import compress
from tests.support.people import Api, api_of, person, team

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
VARIANT = {
    "name": "h200",
    "accelerator": "nvidia-h200",
    "parallelism": {"tensor": 2, "pipeline": 1, "data": 1},
}
STATUS = {
    "sync": "Synced",
    "health": "Healthy",
    "replicas": {"desired": 2, "ready": 2, "starting": 0},
    "variants": [{"name": "h200", "desired": 2, "ready": 2}],
}


def pool(name: str, team_name: str = "default", cluster: Cluster | None = None, **fields) -> Pool:
    team(team_name)
    spec = {"model": "llama", "cluster": "embedded", "path": "optimized-baseline", "variants": [VARIANT]}
    made = {"spec": spec, "status": STATUS, "created_at": NOW, "updated_at": NOW, "namespace": "serving", **fields}
    return Pool.objects.create(team=team_name, name=name, cluster_uid=cluster.uid if cluster else None, **made)


@pytest.fixture
def cluster() -> Cluster:
    spec = {"credentials": {"kubeconfig": "/nowhere"}, "prices": {"nvidia-h200": "4.00 USD/h"}}
    team("platform")
    return Cluster.objects.create(team="platform", name="embedded", spec=spec, created_at=NOW, updated_at=NOW)


@pytest.fixture
def api() -> Api:
    return api_of(person("ada", default=Role.VIEWER))


def test_the_fleet_shows_what_one_may_see(api: Api, cluster: Cluster) -> None:
    chat = pool("chat", cluster=cluster)
    pool("hidden", "search")
    figures = {"requests_per_second": {"value": 2.5}, "ttft_p95": {"value": 0.3}}
    PoolSummary.objects.create(pool=chat.uid, at=NOW, last_sample_at=NOW, figures=figures)
    slo = {"targetRef": {"kind": "Pool", "name": "chat"}}
    slo["objectives"] = [{"metric": "ttft", "threshold": "250ms", "fraction": "95%"}]
    editor = api_of(person("eve", default=Role.EDITOR))
    document = {"apiVersion": "lamplight.dev/v1", "kind": "SLO", "metadata": {"name": "fast"}, "spec": slo}
    assert editor.send("POST", "teams/default/slos", document).status_code == 201
    judged = {"key": "ttft-250ms-28d", "state": "Breached", "attained": 0.9, "exact": True, "budgetLeft": -1.0}
    SLO.objects.filter(name="fast").update(status={"objectives": [judged]})
    with clock.frozen(NOW + timedelta(seconds=5)):
        fleet = api.get("fleet")
    (row,) = fleet["items"]
    assert (row["name"], row["requestsPerSecond"], row["ttftP95"], row["dataState"]) == ("chat", 2.5, 0.3, "ok")
    assert (row["accelerators"], row["costPerHour"]) == (4, 16.0)
    (objective,) = row["slo"]
    assert (objective["slo"], objective["metric"], objective["threshold"]) == ("fast", "ttft", 0.25)
    assert (objective["attained"], objective["met"], objective["budgetLeft"]) == (0.9, False, -1.0)
    assert fleet["totals"]["pools"] == 1
    with clock.frozen(NOW + timedelta(minutes=5)):
        assert api.get("fleet")["items"][0]["dataState"] == "stale"


def test_the_fleet_asks_each_room_once(
    api: Api, cluster: Cluster, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        pool(f"pool-{number:02}", cluster=cluster)
    with django_assert_max_num_queries(8):
        assert len(api.get("fleet")["items"]) == 30


def test_the_fleet_is_filtered_ordered_and_cut(api: Api) -> None:
    for name, state in (("a", "Healthy"), ("b", "Degraded"), ("c", "Healthy")):
        pool(name, status={**STATUS, "health": state})
    assert [row["name"] for row in api.get("fleet?health=Healthy&sort=name&order=desc")["items"]] == ["c", "a"]
    cut = api.get("fleet?limit=1&sort=health")
    assert [row["name"] for row in cut["items"]] == ["b"]
    assert (cut["totals"]["pools"], cut["truncated"]) == (3, True)
    for query in ("sort=shoe-size", "order=up", "limit=0", "limit=100000"):
        assert api.send("GET", f"fleet?{query}").status_code == 400


def test_the_fleet_needs_a_login() -> None:
    assert Api().send("GET", "fleet").status_code == 401


def test_probes_need_no_login() -> None:
    client = Client()
    assert client.get("/healthz").json()["status"] == "ok"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]) == (200, {"database": "ok", "migrations": "ok"})
    assert "no tick yet" in client.get("/readyz?verbose").json()["checks"]["beat"]


def test_readiness_tells_how_far_behind_the_background_is() -> None:
    Progress.objects.create(id=1, last_tick_at=NOW)
    with clock.frozen(NOW + timedelta(seconds=9)):
        checks = Client().get("/readyz?verbose=1").json()["checks"]
    assert (checks["beat"], checks["tickLagSeconds"], checks["queue"]["total"]) == ("ok", 9.0, 0)
    with clock.frozen(NOW + timedelta(seconds=120)):
        assert "120 s ago" in Client().get("/readyz?verbose").json()["checks"]["beat"]


def test_not_ready_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> int:
        raise DatabaseError("gone")

    monkeypatch.setattr(health, "_unapplied", refuse)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert Client().get("/healthz").status_code == 200


def test_not_ready_while_migrations_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_unapplied", lambda: 2)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert "manage.py migrate" in answer.json()["checks"]["migrations"]


@pytest.fixture
def dist(tmp_path: Path):
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>Lamplight</title>")
    (tmp_path / "assets" / "index-abc123.js").write_text("console.log(1)")
    (tmp_path / "favicon.svg").write_text("<svg/>")
    with override_settings(CONSOLE_DIST=tmp_path, WHITENOISE_ROOT=tmp_path):
        yield tmp_path


@pytest.mark.parametrize("path", ["/", "/teams/default/pools/chat", "/login"])
def test_every_address_of_the_console_is_its_page(dist: Path, path: str) -> None:
    answer = Client().get(path)
    assert answer.status_code == 200
    assert b"Lamplight" in answer.content
    assert answer.headers["Cache-Control"] == "no-cache"
    assert "csrftoken" in answer.cookies


def test_assets_are_kept_for_ever_and_nothing_else_is(dist: Path) -> None:
    asset = Client().get("/assets/index-abc123.js")
    assert asset.status_code == 200
    assert "immutable" in asset.headers["Cache-Control"]
    assert "immutable" not in Client().get("/favicon.svg").headers["Cache-Control"]
    assert Client().get("/assets/index-old.js").status_code == 404


def test_scripts_go_out_compressed(dist: Path) -> None:
    script = dist / "assets" / "large-abc123.js"
    script.write_text("console.log('lamp')\n" * 1000)
    compress(dist)
    with override_settings(WHITENOISE_ROOT=dist):
        answer = Client().get("/assets/large-abc123.js", headers={"Accept-Encoding": "gzip, br"})
        plain = Client().get("/assets/large-abc123.js", headers={"Accept-Encoding": "identity"})
    assert answer.headers["Content-Encoding"] == "gzip"
    sent, text = b"".join(answer), b"".join(plain)
    assert len(sent) < len(text) / 20
    assert gzip.decompress(sent) == text == script.read_bytes()


def test_lists_go_out_compressed_and_objects_keep_their_etag() -> None:
    api = api_of(person("ada", superuser=True, default=Role.ADMIN))
    for n in range(40):
        pool(f"chat-{n}")
    offered = {"Accept_Encoding": "gzip"}
    sent = api.send("GET", "fleet", **offered)
    assert sent.headers["Content-Encoding"] == "gzip"
    assert len(json.loads(gzip.decompress(sent.content))["items"]) == 40
    assert len(sent.content) < len(api.send("GET", "fleet").content) / 4
    one = api.send("GET", "teams/default/pools/chat-1", **offered)
    assert one.headers["ETag"].startswith('"') and "Content-Encoding" not in one.headers


def test_the_rows_of_the_fleet_are_computed_once_while_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    ada = api_of(person("ada", superuser=True, default=Role.ADMIN))
    ben = api_of(person("ben", search=Role.VIEWER))
    pool("chat")
    monkeypatch.setattr(FleetView, "kept", Keeper())
    with override_settings(FLEET_KEPT_SECONDS=60.0):
        assert [row["name"] for row in ada.get("fleet")["items"]] == ["chat"]
        # others who may see other teams have rows of their own
        assert ben.get("fleet")["items"] == []
        pool("code")
        assert [row["name"] for row in ada.get("fleet")["items"]] == ["chat"]
        assert [row["name"] for row in ada.get("fleet?name=code")["items"]] == ["code"]
        OutboxEvent.objects.create(at=NOW, kind="Pool", uid=uuid4(), team="default", name="code", verb="created")
        assert [row["name"] for row in ada.get("fleet")["items"]] == ["chat", "code"]
        assert ada.get("fleet?q=co")["totals"]["pools"] == 1


def test_a_console_that_is_not_built_says_how_to_build_it(tmp_path: Path) -> None:
    with override_settings(CONSOLE_DIST=tmp_path / "none"):
        answer = Client().get("/")
    assert answer.status_code == 503
    assert b"make console" in answer.content


@pytest.mark.parametrize("path", ["/", "/api/v1/fleet", "/healthz", "/assets/index-abc123.js", "/api/v1/nothing"])
def test_every_answer_carries_the_security_headers(dist: Path, path: str) -> None:
    headers = Client().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v2/pools", "/api", "/api/"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_unknown_api_addresses_are_problem_documents(path: str, method: str) -> None:
    answer = getattr(Client(), method)(path)
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == 404


def test_a_refused_csrf_token_is_a_problem_document() -> None:
    user = person("ada", password="a-long-password", default=Role.VIEWER)
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    answer = client.post("/api/v1/teams/default/slos", data=b"{}", content_type="application/json")
    assert answer.status_code == 403
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_names_that_no_pool_has_cost_nothing(api: Api) -> None:
    assert api.get(f"fleet?q={uuid4()}")["items"] == []
