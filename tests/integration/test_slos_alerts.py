"""Alerts and webhooks over a real Postgres and real HTTP: begun, told, retried, ended."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from apps.audit.models import Event
from apps.core import clock, outbound
from apps.core.domain.access import Role
from apps.core.outbound import Unreachable
from apps.pools.models import Pool
from apps.slos import ticking
from apps.slos.delivering import deliver
from apps.slos.models import SLO, Alert, Delivery, Webhook
from apps.telemetry.domain.histogram import Histogram
from tests.support.people import Api, api_of, json_of, person, team
from tests.support.signals import minutes, store_minutes

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Receiver:
    """An HTTP server that keeps what it is sent, and answers with `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.got: list[tuple[dict[str, str], bytes]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.got.append((dict(self.headers), body))
                self.send_response(outer.status)
                if outer.status == 302:
                    self.send_header("Location", "http://127.0.0.1:1/")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.httpd.server_port}/hook?x=1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.httpd.shutdown()
    made.httpd.server_close()


@pytest.fixture
def api(settings: Any) -> Api:
    settings.OUTBOUND_NETWORKS = "127.0.0.0/8"
    team("platform")
    return api_of(person("eve", default=Role.EDITOR))


@pytest.fixture
def pool(api: Api) -> Pool:
    spec = {"model": "m", "routing": {"picker": False}, "variants": [{"name": "a"}]}
    made = Pool.objects.create(team="default", name="chat", spec=spec, created_at=START, updated_at=START)
    objectives = [{"metric": "ttft", "threshold": "500ms", "fraction": "95%", "window": "28d"}]
    slo = {"targetRef": {"name": "chat"}, "measuredAt": "engine", "objectives": objectives}
    document = {"apiVersion": "lamplight.dev/v1", "kind": "SLO", "metadata": {"name": "fast"}, "spec": slo}
    assert api.send("POST", "teams/default/slos", document).status_code == 201
    return made


def hook(api: Api, url: str, name: str = "oncall", **spec: Any) -> Any:
    document = {
        "apiVersion": "lamplight.dev/v1",
        "kind": "Webhook",
        "metadata": {"name": name},
        "spec": {"url": url, **spec},
    }
    return api.send("POST", "teams/default/webhooks", document)


def secret_of(api: Api, name: str = "oncall") -> bytes:
    told = json_of(api.send("POST", f"teams/default/webhooks/{name}/secret"))["secret"]
    return base64.b64decode(told.removeprefix("whsec_"))


def serve(pool: Pool, start: datetime, count: int, bad: int) -> datetime:
    histogram = Histogram({(0.2, 0.25): 100 - bad, (0.8, 1.0): bad})
    rows = minutes(start, count, counts={"requests": 100.0}, histograms={"ttft": histogram})
    store_minutes(pool.uid, rows)
    now = start + timedelta(minutes=count)
    with clock.frozen(now + timedelta(seconds=15)):
        ticking.run_tick()
    return now


def test_a_breach_begins_an_alert_tells_the_webhook_and_ends(pool: Pool, api: Api, receiver: Receiver) -> None:
    assert hook(api, receiver.url).status_code == 201
    assert hook(api, receiver.url, "tickets", severities=["ticket"]).status_code == 201
    secret = secret_of(api)
    now = serve(pool, START, 60, bad=90)
    (alert,) = Alert.objects.filter(state="firing")
    assert (alert.pair, alert.severity, alert.slo_name) == ("5m/1h", "page", "fast")
    assert Event.objects.filter(kind="SLO", reason="BurnRateHigh").count() == 1
    with clock.frozen(now + timedelta(seconds=20)):
        assert deliver() == 1
    ((headers, body),) = receiver.got
    message = json.loads(body)
    assert (message["type"], message["data"]["slo"], message["data"]["state"]) == ("alert.firing", "fast", "firing")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    # a second tick tells nothing new
    now = serve(pool, now, 1, bad=90)
    assert Delivery.objects.count() == 1
    now = serve(pool, now, 10, bad=0)
    alert.refresh_from_db()
    assert (alert.state, alert.resolved_at is not None) == ("resolved", True)
    assert alert.resolution.startswith("The burn rate fell to 0.")
    with clock.frozen(now + timedelta(seconds=20)):
        deliver()
    assert json.loads(receiver.got[-1][1])["type"] == "alert.resolved"
    listed = api.get("alerts?team=default&state=resolved")["items"]
    assert [one["pair"] for one in listed] == ["5m/1h"]
    assert api.get("alerts?state=firing")["items"] == []


def test_a_receiver_that_is_down_is_tried_again_until_it_takes_it(pool: Pool, api: Api, receiver: Receiver) -> None:
    hook(api, receiver.url)
    receiver.status = 503
    now = serve(pool, START, 60, bad=90)
    for attempt in range(1, 4):
        with clock.frozen(now + timedelta(hours=attempt)):
            assert deliver(jitter=lambda: 1.0) == 1
            # not due before its time
            assert deliver(jitter=lambda: 1.0) == 0
    row = Delivery.objects.get()
    assert (row.state, row.attempts, row.answered, row.error) == ("waiting", 3, 503, "it answered 503")
    receiver.status = 204
    with clock.frozen(now + timedelta(hours=4)):
        deliver()
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("delivered", 4)
    ids = {headers["webhook-id"] for headers, _ in receiver.got}
    assert len(ids) == 1
    shown = api.get("teams/default/webhooks/oncall/deliveries")["items"][0]
    assert (shown["state"], shown["attempts"], shown["answered"]) == ("delivered", 4, 204)


def test_a_sender_that_dies_in_the_middle_loses_nothing(pool: Pool, api: Api, receiver: Receiver) -> None:
    hook(api, receiver.url)
    now = serve(pool, START, 60, bad=90)

    def dies(url: str, body: bytes, headers: dict[str, str]) -> Any:
        raise SystemExit

    with clock.frozen(now + timedelta(seconds=20)), pytest.raises(SystemExit):
        deliver(dies)
    with clock.frozen(now + timedelta(seconds=40)):
        assert deliver() == 0
    with clock.frozen(now + timedelta(seconds=81)):
        assert deliver() == 1
    assert Delivery.objects.get().state == "delivered"


def test_after_a_day_a_message_is_given_up_and_said(pool: Pool, api: Api, receiver: Receiver) -> None:
    hook(api, receiver.url)
    receiver.status = 500
    now = serve(pool, START, 60, bad=90)
    with clock.frozen(now + timedelta(hours=25)):
        deliver()
    assert Delivery.objects.get().state == "failed"
    assert Event.objects.filter(kind="Webhook", reason="DeliveryFailed").count() == 1


def test_redirects_are_not_followed(api: Api, pool: Pool, receiver: Receiver) -> None:
    hook(api, receiver.url)
    receiver.status = 302
    assert api.send("POST", "teams/default/webhooks/oncall/test").status_code == 202
    assert deliver(jitter=lambda: 1.0) == 1
    assert Delivery.objects.get().error == "it answered 302"


def test_the_secret_is_nowhere_to_be_read(api: Api, receiver: Receiver) -> None:
    hook(api, receiver.url)
    secret = json_of(api.send("POST", "teams/default/webhooks/oncall/secret"))["secret"]
    core = secret.removeprefix("whsec_")
    texts = [
        api.send("GET", path).content.decode()
        for path in ("webhooks", "teams/default/webhooks/oncall", "changes", "events", "export")
    ]
    texts.append(str(Webhook.objects.values().get()))
    assert all(core not in text for text in texts)
    viewer = api_of(person("vic", default=Role.VIEWER))
    assert viewer.send("POST", "teams/default/webhooks/oncall/secret").status_code == 403


def test_addresses_of_the_inside_are_refused(api: Api, settings: Any) -> None:
    settings.OUTBOUND_NETWORKS = ""
    answer = hook(api, "http://169.254.169.254/latest/meta-data")
    assert answer.status_code == 422
    assert "is not an address of the public internet" in json_of(answer)["errors"][0]["detail"]
    # a name is looked up when it is called, and then checked
    with pytest.raises(Unreachable, match="it may not be called"):
        outbound.post("http://localhost:1/", b"", {})


def test_a_deleted_slo_ends_its_alerts(pool: Pool, api: Api) -> None:
    now = serve(pool, START, 60, bad=90)
    assert api.send("DELETE", "teams/default/slos/fast", If_Match="*").status_code == 204
    assert not SLO.objects.exists()
    serve(pool, now, 1, bad=90)
    alert = Alert.objects.get()
    assert (alert.state, alert.resolution) == ("resolved", "The SLO was deleted.")
