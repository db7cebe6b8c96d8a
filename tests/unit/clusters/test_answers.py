"""Answers of our own writes: in the cache before anything rests on them, many together, never over newer ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from apps.clusters import answers
from apps.clusters.models import CachedObject, Watch
from apps.pools.domain.manifests import POOL_UID

pytestmark = pytest.mark.django_db(transaction=True)


def answer(name: str, revision: int, *, namespace: str = "serving", owner: UUID | None = None) -> dict[str, Any]:
    labels = {POOL_UID: str(owner or uuid4())}
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "labels": labels}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {**metadata, "resourceVersion": str(revision)}}


def watched(revision: int, *, namespace: str = "", synced: bool = True) -> UUID:
    cluster = uuid4()
    Watch.objects.create(cluster=cluster, kind="Service.", namespace=namespace, revision=revision, synced=synced)
    return cluster


def kept(cluster: UUID) -> dict[str, int]:
    return dict(CachedObject.objects.filter(cluster=cluster).values_list("name", "revision"))


def test_one_answer_is_kept_at_once() -> None:
    cluster = watched(10)
    answers.put(cluster, answer("a", 11))
    assert kept(cluster) == {"a": 11}


def test_what_was_gathered_is_kept_when_the_block_ends_in_one_statement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PATIENCE_SECONDS", float("inf"))
    one, other = watched(10), watched(10)
    sent: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        with answers.gathered():
            for cluster, name, revision in ((one, "a", 11), (other, "a", 12), (one, "b", 13), (one, "a", 14)):
                answers.put(cluster, answer(name, revision))
        assert len([sql for sql in sent if "INSERT INTO clusters_cached_object" in sql]) == 1
    assert kept(one) == {"a": 14, "b": 13}
    assert kept(other) == {"a": 12}


def test_they_do_not_wait_for_the_end_of_a_long_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PATIENCE_SECONDS", -1.0)
    cluster = watched(10)
    with answers.gathered():
        answers.put(cluster, answer("a", 11))
        assert kept(cluster) == {"a": 11}


def test_a_thread_that_ends_its_block_finds_all_that_it_put_written_whoever_writes_it() -> None:
    cluster = watched(10)
    missed: list[str] = []

    def work(number: int) -> None:
        for turn in range(5):
            name = f"{number}-{turn}"
            with answers.gathered():
                answers.put(cluster, answer(name, 11))
            if name not in kept(cluster):
                missed.append(name)
        connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not missed
    assert len(kept(cluster)) == 30


def test_an_older_answer_never_replaces_a_newer_one() -> None:
    cluster = watched(10)
    answers.put(cluster, answer("a", 13))
    with answers.gathered():
        answers.put(cluster, answer("a", 12))
    assert kept(cluster) == {"a": 13}


def test_nothing_is_kept_where_nobody_watches_or_the_watch_has_seen_more() -> None:
    behind, unsynced, elsewhere = watched(20), watched(10, synced=False), watched(10, namespace="other")
    with answers.gathered():
        for cluster in (behind, unsynced, elsewhere, uuid4()):
            answers.put(cluster, answer("a", 11))
    assert not CachedObject.objects.exists()


def test_what_carries_no_label_of_ours_is_not_kept() -> None:
    cluster = watched(10)
    bare = answer("a", 11)
    bare["metadata"]["labels"] = {}
    answers.put(cluster, bare)
    assert kept(cluster) == {}


@pytest.fixture
def waits() -> Iterator[Callable[[], list[str]]]:
    """Whether the commits of writes to the cache since wait for the disk, as the database knew it while it wrote."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE noted (waits text)")
        cursor.execute(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            " INSERT INTO noted VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$"
        )
        cursor.execute("CREATE TRIGGER note AFTER INSERT ON clusters_cached_object EXECUTE FUNCTION note()")
        cursor.execute("SET synchronous_commit = on")

        def read() -> list[str]:
            cursor.execute("SELECT waits FROM noted")
            return [row[0] for row in cursor.fetchall()]

        yield read
        cursor.execute("RESET synchronous_commit")
        cursor.execute("DROP TRIGGER note ON clusters_cached_object")
        cursor.execute("DROP FUNCTION note")
        cursor.execute("DROP TABLE noted")


def test_an_answer_does_not_wait_for_the_disk_and_nothing_else_is_made_not_to(waits: Callable[[], list[str]]) -> None:
    cluster = watched(10)
    answers.put(cluster, answer("a", 11))
    assert waits() == ["off"]
    assert setting() == "on", "only that one statement"
    with transaction.atomic():
        answers.put(cluster, answer("a", 12))
        assert setting() == "on", "what else a caller writes has to last"
    assert waits() == ["off", "on"]
    assert kept(cluster) == {"a": 12}


def setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        return str(cursor.fetchone()[0])
