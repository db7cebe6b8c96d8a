"""The control plane's own metrics and log lines."""

from __future__ import annotations

import json
import logging
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from apps.core import logs
from apps.core.domain.access import Role
from apps.core.middleware import request_id
from apps.reconcile import services, worker
from apps.reconcile.domain.outcomes import Done, Retry
from apps.reconcile.domain.priority import Priority
from apps.telemetry.collect import run_tick
from apps.telemetry.scrape import Target
from apps.telemetry.targets import PoolTargets
from tests.support.people import api_of, person
from tests.support.shared import ROOT

pytestmark = pytest.mark.django_db


def page(**headers: str) -> dict[tuple[str, frozenset], float]:
    answer = Client().get("/metrics", **headers)
    assert answer.status_code == 200, answer.content
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def value(found: dict, name: str, **labels: str) -> float:
    return sum(v for (known, of), v in found.items() if known == name and labels.items() <= dict(of).items())


def test_requests_are_counted_by_route() -> None:
    api = api_of(person("ada", default=Role.VIEWER))
    before = page()
    api.get("pools")
    assert api.send("GET", "teams/default/pools/nobody").status_code == 404
    assert api.send("GET", "teams/default/pools/someone").status_code == 404
    after = page()
    name = "lamplight_http_request_seconds_count"
    route = "api/v1/teams/<slug:team>/pools/<slug:name>"
    assert value(after, name, route=route, status="404") - value(before, name, route=route, status="404") == 2
    assert value(after, name, route="api/v1/pools", status="200") > value(
        before, name, route="api/v1/pools", status="200"
    )
    assert not any("nobody" in str(labels) for _, labels in after)


def test_reconciles_scrapes_and_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def controller(lease):
        seen.append(logs.ContextFilter().filter(record := logging.makeLogRecord({})) and record.context)
        return Done() if len(seen) == 1 else Retry("later")

    monkeypatch.setitem(worker._controllers, "Thing", worker._Registered(controller, None))
    before = page()
    uid = uuid.uuid4()
    services.enqueue(kind="Thing", uid=uid, priority=Priority.PERSON)
    assert value(page(), "lamplight_queue_keys", state="due") == 1
    worker.reconcile(services.claim(kinds=["Thing"], holder="me"))
    services.enqueue(kind="Thing", uid=uid, priority=Priority.PERSON)
    worker.reconcile(services.claim(kinds=["Thing"], holder="me"))
    unreachable = Target("k", "chat-v-0", "v", "http://127.0.0.1:9/metrics")
    assert run_tick(lambda: [PoolTargets(uuid.uuid4(), ("v",), (unreachable,))]) is not None
    assert run_tick(list) is None
    after = page()
    count = "lamplight_reconcile_seconds_count"
    for outcome in ("done", "retry"):
        labels = {"kind": "Thing", "outcome": outcome}
        assert value(after, count, **labels) - value(before, count, **labels) == 1
    failed = {"kind": "engine", "result": "failed"}
    scrapes = "lamplight_scrape_seconds_count"
    assert value(after, scrapes, **failed) - value(before, scrapes, **failed) == 1
    left = "lamplight_ticks_left_out_total"
    assert value(after, left, loop="telemetry") - value(before, left, loop="telemetry") == 1
    assert value(after, "lamplight_scrape_targets") == 1
    assert value(after, "lamplight_scrape_targets_answered") == 0
    assert value(after, "lamplight_telemetry_tick_age_seconds") < 60
    assert value(after, "lamplight_database_up") == 1
    rules = (ROOT / "deploy/alerts/lamplight-control-plane.rules.yaml").read_text()
    expressions = " ".join(re.findall(r"expr: (.*)", rules))
    assert set(re.findall(r"\blamplight_\w+", expressions)) <= {name for name, _ in after}
    # each line that a controller logs says which reconcile it belongs to
    assert seen[0]["reconcile"].startswith(f"Thing/{uid}#")
    assert seen[0]["reconcile"] != seen[1]["reconcile"]


def test_they_are_for_callers_on_this_machine(settings) -> None:
    assert Client().get("/metrics", REMOTE_ADDR="10.0.0.9").status_code == 403
    assert Client().get("/metrics", headers={"X-Forwarded-For": "10.0.0.9"}).status_code == 403
    assert Client().get("/metrics", REMOTE_ADDR="::1").status_code == 200
    settings.METRICS_TOKEN = "s3cret"
    assert Client().get("/metrics").status_code == 403
    assert Client().get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
    remote = Client().get("/metrics", REMOTE_ADDR="10.0.0.9", headers={"Authorization": "Bearer s3cret"})
    assert remote.status_code == 200
    assert b"s3cret" not in remote.content


def test_processes_of_one_machine_are_added_up(tmp_path: Path) -> None:
    count = "from apps.core import instruments as i\ni.tasks_left_out.labels(loop='x').inc(2)\n"
    show = "from apps.core import instruments as i\nprint(i.page().decode())\n"

    def run(code: str) -> str:
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PATH": "", "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    run(count)
    run(count)
    assert 'lamplight_ticks_left_out_total{loop="x"} 4.0' in run(show)


def test_log_lines_are_json_with_their_request() -> None:
    answer = Client().get("/healthz", headers={"X-Request-Id": "abc-1"})
    assert answer.headers["X-Request-Id"] == "abc-1"
    record = logging.makeLogRecord({"name": "apps.x", "levelname": "WARNING", "msg": "%s\nis late", "args": ("tick",)})
    with logs.bound(reconcile="Pool/1#2", cluster="east"):
        logs.ContextFilter().filter(record)
    line = logs.JsonFormatter().format(record)
    assert "\n" not in line
    told = json.loads(line)
    assert told["message"] == "tick\nis late"
    assert (told["level"], told["logger"], told["reconcile"], told["cluster"]) == (
        "WARNING",
        "apps.x",
        "Pool/1#2",
        "east",
    )
    assert told.get("requestId", "") == request_id()
    try:
        raise ValueError("broken")
    except ValueError:
        record.exc_info = sys.exc_info()
    assert "ValueError: broken" in json.loads(logs.JsonFormatter().format(record))["exception"]
