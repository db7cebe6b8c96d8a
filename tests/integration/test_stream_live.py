"""The event stream through a real web process, on a real Postgres."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import Iterator

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.accounts import tokens
from apps.accounts.models import ApiToken, Membership
from apps.core import outbox
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from tests.support.people import person, team
from tests.support.sse import EventReader
from tests.support.wait import wait_until
from tests.support.web import Web, run_web

pytestmark = pytest.mark.django_db(transaction=True)


ASSET = b"/* asset */" * 50_000


@pytest.fixture(scope="module")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    dist = tmp_path_factory.mktemp("dist")
    (dist / "assets").mkdir()
    (dist / "assets" / "index-abc.js").write_bytes(ASSET)
    (dist / "index.html").write_text("<!doctype html>")
    with run_web({"LAMPLIGHT_CONSOLE_DIST": str(dist)}) as running:
        yield running


@pytest.fixture(scope="module")
def suspicious(django_db_setup: None) -> Iterator[Web]:
    """A web process that looks at every reader's rights again before every line."""
    with run_web({"LAMPLIGHT_STREAM_RECHECK": "0"}) as running:
        yield running


@pytest.fixture
def web(server: Web) -> Web:
    for name in ("platform", "default", "search"):
        team(name)
    return server


def publish(name: str, team_name: str = "default", verb: str = "updated") -> int:
    with transaction.atomic():
        return outbox.publish(kind="Pool", uid=uuid.uuid4(), team=team_name, name=name, verb=verb, generation=2)


def token_of(name: str, **roles: Role) -> dict[str, str]:
    secret = tokens.issue(owner=person(name, **roles), name="test").secret
    return {"Authorization": f"Bearer {secret}"}


def test_changes_arrive_in_order_with_their_ids(web: Web) -> None:
    reader = EventReader(web.url + "/api/v1/stream", token_of("ada", default=Role.VIEWER))
    assert reader.response.getheader("Content-Type") == "text/event-stream"
    assert reader.response.getheader("X-Accel-Buffering") == "no"
    ids = [publish(f"pool-{n}") for n in range(3)]
    messages = [reader.next() for _ in ids]
    assert [int(m.id) for m in messages] == ids
    assert messages[0].data["name"] == "pool-0"
    assert messages[0].data | {"uid": ""} == {
        "kind": "Pool",
        "uid": "",
        "team": "default",
        "name": "pool-0",
        "verb": "updated",
        "generation": 2,
        "fields": [],
    }
    reader.close()


def test_only_what_one_may_see_is_sent(web: Web) -> None:
    reader = EventReader(web.url + "/api/v1/stream", token_of("bob", search=Role.VIEWER))
    publish("secret", "default")
    publish("shared", "platform")
    publish("own", "search")
    assert [reader.next().data["name"] for _ in range(2)] == ["shared", "own"]
    reader.close()


def test_a_reader_that_comes_back_misses_nothing_and_gets_nothing_twice(web: Web) -> None:
    headers = token_of("ada", default=Role.VIEWER)
    first = EventReader(web.url + "/api/v1/stream", headers)
    publish("one")
    assert first.next().data["name"] == "one"
    first.close()
    missed = [publish(f"missed-{n}") for n in range(5)]
    second = EventReader(web.url + "/api/v1/stream", {**headers, "Last-Event-ID": first.last_id})
    last = publish("live")
    assert [int(second.next().id) for _ in range(6)] == [*missed, last]
    second.close()


def test_the_opening_has_an_id_to_come_back_with(web: Web) -> None:
    headers = token_of("ada", default=Role.VIEWER)
    newest = publish("before")
    quiet = EventReader(web.url + "/api/v1/stream", headers)
    assert int(quiet.last_id) == newest
    quiet.close()
    publish("while-away")
    again = EventReader(web.url + "/api/v1/stream", {**headers, "Last-Event-ID": quiet.last_id})
    assert again.next().data["name"] == "while-away"
    again.close()


@pytest.mark.parametrize("last_id", ["trimmed", "from-another-database", "not-a-number"])
def test_an_id_that_cannot_be_resumed_from_gives_reset(web: Web, last_id: str) -> None:
    old = publish("old")
    newest = publish("newer")
    OutboxEvent.objects.filter(id=old).delete()
    sent = {"trimmed": str(old), "from-another-database": str(newest + 10**6), "not-a-number": "x"}[last_id]
    headers = {**token_of("ada", default=Role.VIEWER), "Last-Event-ID": sent}
    reader = EventReader(web.url + "/api/v1/stream", headers)
    assert reader.next().event == "reset"
    publish("after")
    assert reader.next().data["name"] == "after"
    reader.close()


def position_of(web: Web, headers: dict[str, str]) -> int:
    """How far the server has read."""
    reader = EventReader(web.url + "/api/v1/stream", headers)
    reader.close()
    return int(reader.last_id)


def test_too_much_missed_gives_reset(web: Web) -> None:
    start = publish("start")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_outboxevent (at, kind, uid, team, name, verb, fields) "
            "SELECT now(), 'Pool', gen_random_uuid(), 'default', 'p', 'updated', '[]' FROM generate_series(1, 1500)"
        )
    end, headers = publish("end"), token_of("ada", default=Role.VIEWER)
    # until the server has read them itself it does not miss them: it tells them as they come
    wait_until(lambda: position_of(web, headers) >= end, message="the server knows what was missed")
    headers |= {"Last-Event-ID": str(start)}
    reader = EventReader(web.url + "/api/v1/stream", headers)
    assert reader.next().event == "reset"
    reader.close()


def test_without_a_login_there_is_no_stream(web: Web) -> None:
    for headers in ({}, {"Authorization": "Bearer lamp_wrong"}, {"Cookie": "sessionid=nope"}):
        reader = EventReader(web.url + "/api/v1/stream", headers)
        assert reader.status == 401
        assert b"Log in first" in reader.body
        assert reader.response.getheader("Content-Type") == "application/problem+json"


def test_a_server_that_stops_ends_its_streams_at_once() -> None:
    with run_web(graceful=60) as web:
        readers = [EventReader(web.url + "/api/v1/stream", token_of(f"u{n}", default=Role.VIEWER)) for n in range(3)]
        web.process.send_signal(signal.SIGTERM)
        # well below the minute after which uvicorn would cut them off
        assert web.process.wait(timeout=60) in (0, -signal.SIGTERM)
        assert all(reader.ended.wait(60) for reader in readers)


def test_a_reader_that_goes_away_is_forgotten(web: Web) -> None:
    reader = EventReader(web.url + "/api/v1/stream", token_of("ada", default=Role.VIEWER))
    wait_until(lambda: listeners() == 1, message="it listens")
    reader.close()
    # nothing listens once the last reader is gone; a write finds out that it is
    wait_until(lambda: publish("x") and listeners() == 0, message="the listener is closed")


def test_streams_share_one_connection_and_keep_none_of_the_pool(web: Web) -> None:
    readers = [EventReader(web.url + "/api/v1/stream", token_of(f"u{n}", default=Role.VIEWER)) for n in range(20)]
    publish("to-all")
    assert {reader.next().data["name"] for reader in readers} == {"to-all"}
    wait_until(lambda: listeners() == 1, message="one connection listens for all")
    wait_until(lambda: connections_of_others() <= 3, message="streams hold no connection of their own")
    for reader in readers:
        reader.close()


def test_the_stream_survives_its_connection_being_cut(web: Web) -> None:
    reader = EventReader(web.url + "/api/v1/stream", token_of("ada", default=Role.VIEWER))
    publish("before")
    assert reader.next().data["name"] == "before"
    for round_ in range(3):
        wait_until(lambda: listeners() == 1, message="it listens")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                "WHERE application_name = 'lamplight-stream'"
            )
            assert cursor.fetchone()[0] == 1
        publish(f"after-{round_}")
        assert reader.next(60).data["name"] == f"after-{round_}"
    reader.close()


def test_membership_and_token_are_looked_at_again(suspicious: Web) -> None:
    team("platform")
    ada = person("ada", default=Role.VIEWER)
    headers = {"Authorization": f"Bearer {tokens.issue(owner=ada, name='t').secret}"}
    reader = EventReader(suspicious.url + "/api/v1/stream", headers)
    publish("seen")
    assert reader.next().data["name"] == "seen"
    Membership.objects.filter(user=ada, team__name="default").delete()
    publish("hidden")
    publish("shared", "platform")
    assert reader.next().data["name"] == "shared"
    ApiToken.objects.filter(owner=ada).delete()
    publish("gone", "platform")
    assert reader.ended.wait(60)


def test_a_session_opens_a_stream_and_its_end_closes_it(suspicious: Web) -> None:
    team("platform")
    browser = Client()
    browser.force_login(person("ada", default=Role.VIEWER))
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    reader = EventReader(suspicious.url + "/api/v1/stream", cookie)
    publish("seen")
    assert reader.next().data["name"] == "seen"
    browser.logout()
    publish("after-log-out")
    assert reader.ended.wait(60)
    assert reader.nothing(0)
    assert EventReader(suspicious.url + "/api/v1/stream", cookie).status == 401


def test_files_of_the_console_are_served_whole_by_the_asgi_server(web: Web) -> None:
    with urllib.request.urlopen(web.url + "/assets/index-abc.js", timeout=30) as answer:
        assert answer.read() == ASSET
        assert "immutable" in answer.headers["Cache-Control"]
    with urllib.request.urlopen(web.url + "/teams/default/pools/x", timeout=30) as answer:
        assert answer.read() == b"<!doctype html>"


def test_wake_ups_of_the_web_process_go_to_the_configured_broker() -> None:
    # in a thread that did not import the application, as the one that sends them
    code = (
        "import threading, controlplane.asgi\n"
        "from apps.reconcile.tasks import wake\n"
        "show = lambda: print(wake.app.main, wake.app.conf.broker_url)\n"
        "thread = threading.Thread(target=show); thread.start(); thread.join()"
    )
    env = {**os.environ, "REDIS_URL": "redis://broker.example:6380/3"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["lamplight", "redis://broker.example:6380/3"]


def listeners() -> int:
    return _count("application_name = 'lamplight-stream'")


def connections_of_others() -> int:
    return _count("pid <> pg_backend_pid() AND datname = current_database() AND application_name <> 'lamplight-stream'")


def _count(where: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {where}")
        return int(cursor.fetchone()[0])
