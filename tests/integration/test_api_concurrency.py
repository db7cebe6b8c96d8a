"""Writers at the same time, on a real Postgres with real transactions."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import uuid4

import psycopg
import pytest
from django.db import connection, transaction

from apps.audit.models import ChangeRecord
from apps.audit.selectors import first_broken_change
from apps.core import changes, outbox
from apps.core.domain.access import Role
from apps.core.models import OutboxEvent
from tests.support.people import Api, api_of, json_of, person
from tests.support.wait import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

T = TypeVar("T")


def document(name: str, layers: int = 1) -> str:
    return (
        f"apiVersion: lamplight.dev/v1\nkind: Model\nmetadata: {{name: {name}}}\n"
        f"spec: {{source: hf://a/b, shape: {{layers: {layers}, kvHeads: 1, headDim: 1}}}}\n"
    )


@pytest.fixture
def api() -> Api:
    return api_of(person("ada", default=Role.EDITOR))


def at_once(work: Callable[[int], T], count: int) -> list[T]:
    """`work(0) … work(count-1)` on threads that start together."""
    gate = threading.Barrier(count)

    def run(i: int) -> T:
        try:
            gate.wait(timeout=20)
            return work(i)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=60))


def test_of_writers_on_one_version_one_wins_and_the_others_learn_it(api: Api) -> None:
    etag = api.send("POST", "teams/default/models", document("m"))["ETag"]
    patch = "spec: {{shape: {{layers: {layers}}}}}"
    statuses = at_once(
        lambda i: api.send("PATCH", "teams/default/models/m", patch.format(layers=i + 2), If_Match=etag).status_code, 6
    )
    assert Counter(statuses) == {200: 1, 412: 5}
    assert api.get("teams/default/models/m")["metadata"]["version"] == 2


def test_of_creators_of_one_name_one_wins(api: Api) -> None:
    answers = at_once(lambda i: api.send("POST", "teams/default/models", document("m", i + 1)), 6)
    assert Counter(a.status_code for a in answers) == {201: 1, 409: 5}
    assert all("Model" in json_of(a)["detail"] for a in answers if a.status_code == 409)


def test_bundles_in_opposite_order_do_not_wait_for_each_other(api: Api) -> None:
    names = [f"m-{i}" for i in range(8)]
    api.apply("---\n".join(document(name) for name in names))

    def apply(i: int) -> int:
        order = names if i % 2 else names[::-1]
        return api.apply("---\n".join(document(name, i + 2) for name in order)).status_code

    assert at_once(apply, 6) == [200] * 6
    layers = {item["spec"]["shape"]["layers"] for item in api.get("models")["items"]}
    assert len(layers) == 1, "a bundle was taken in part"
    assert first_broken_change() is None
    assert ChangeRecord.objects.count() == 8 * 7


def test_a_writer_that_the_database_gave_up_for_another_one_is_let_in_afterwards(api: Api) -> None:
    api.apply(document("m-a") + "---\n" + document("m-b"))
    both = document("m-a", 2) + "---\n" + document("m-b", 2)
    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with connection.cursor() as cursor:
            # the other writer looks for deadlocks first, so that it is the one that is given up
            cursor.execute("SET LOCAL deadlock_timeout = '60s'")
            cursor.execute("SELECT 1 FROM catalog_model WHERE name = 'm-b' FOR UPDATE")
            answer = pool.submit(lambda: (api.apply(both), connection.close())[0])
            wait_until(lambda: _somebody_waits(cursor), message="the other writer did not come to the locked row")
            cursor.execute("UPDATE catalog_model SET labels = '{}' WHERE name = 'm-a'")
    assert answer.result(timeout=60).status_code == 200
    assert [m["metadata"]["version"] for m in api.get("models")["items"]] == [2, 2]
    assert ChangeRecord.objects.count() == 4


def _somebody_waits(cursor: Any) -> bool:
    cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return bool(cursor.fetchone()[0])


def test_outbox_ids_become_visible_in_their_order() -> None:
    """A reader that goes on from the last id it saw misses nothing, whichever writer commits first."""
    seen: list[int] = []
    done = threading.Event()

    def follow() -> None:
        try:
            while True:
                last = done.is_set()
                seen.extend(
                    OutboxEvent.objects.filter(id__gt=seen[-1] if seen else 0)
                    .order_by("id")
                    .values_list("id", flat=True)
                )
                if last:
                    return
        finally:
            connection.close()

    def write(i: int) -> None:
        for _ in range(10):
            with transaction.atomic():
                outbox.publish(kind="Model", uid=uuid4(), team="t", name=f"n{i}", verb="updated")

    reader = threading.Thread(target=follow)
    reader.start()
    at_once(write, 5)
    done.set()
    reader.join(timeout=60)
    assert len(seen) == len(set(seen)) == OutboxEvent.objects.count() == 50


def test_listeners_hear_of_a_line_when_it_is_committed_and_never_of_one_that_is_not() -> None:
    parameters = connection.get_connection_params()
    wanted = {key: parameters[key] for key in ("dbname", "user", "host", "port", "password") if parameters.get(key)}
    heard: list[str] = []
    with psycopg.connect(**wanted, autocommit=True) as listener:
        listener.execute(f"LISTEN {outbox.CHANNEL}")

        def poll() -> list[str]:
            heard.extend(n.payload for n in listener.notifies(timeout=0.05))
            return heard

        with pytest.raises(RuntimeError), transaction.atomic():
            outbox.publish(kind="Model", uid=uuid4(), team="t", name="lost", verb="updated")
            raise RuntimeError("undone")
        with transaction.atomic():
            kept = outbox.publish(kind="Model", uid=uuid4(), team="t", name="kept", verb="updated")
            assert poll() == []
        wait_until(lambda: bool(poll()), message="the notification did not come")
    assert heard == [str(kept)]


def test_publishing_outside_of_a_transaction_is_a_mistake() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        outbox.publish(kind="Model", uid=uuid4(), team="t", name="n", verb="updated")


def test_a_change_that_cannot_be_recorded_is_not_made(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_change: Any) -> None:
        raise RuntimeError("the record cannot be written")

    monkeypatch.setattr(changes, "_recorders", [*changes._recorders, broken])
    with pytest.raises(RuntimeError):
        api.send("POST", "teams/default/models", document("m"))
    monkeypatch.undo()
    assert api.get("models")["items"] == []
    assert not OutboxEvent.objects.exists()
    assert not ChangeRecord.objects.exists()


def test_the_chain_of_records_shows_what_was_tampered_with(api: Api) -> None:
    for i in range(4):
        api.apply(document("m", i + 1))
    assert first_broken_change() is None
    second = ChangeRecord.objects.order_by("id")[1]
    ChangeRecord.objects.filter(pk=second.pk).update(actor="user:somebody-else")
    assert first_broken_change() == second.pk
    ChangeRecord.objects.filter(pk=second.pk).update(actor=second.actor)
    assert first_broken_change() is None
    third = ChangeRecord.objects.order_by("id")[2]
    third.delete()
    assert first_broken_change() == ChangeRecord.objects.order_by("id")[2].pk


def test_of_two_who_make_one_user_at_once_one_is_told_that_the_name_is_taken() -> None:
    root = api_of(person("root", superuser=True))
    answers = at_once(lambda _: root.send("POST", "users", {"username": "ada", "password": "correct horse"}), 4)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 3}
    refused = next(json_of(answer) for answer in answers if answer.status_code == 409)
    assert refused["detail"] == "There is a user ada already."
    assert [user["username"] for user in root.get("users")["items"]] == ["ada", "root"]
