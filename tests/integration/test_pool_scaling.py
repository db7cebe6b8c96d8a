"""Replica targets of many pools at once: as one by one, in few statements, and waiting for nobody."""

from __future__ import annotations

import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from apps.audit.models import ChangeRecord, Event
from apps.autoscaling import services as autoscaling
from apps.core.domain.refusals import Clash, Missing
from apps.core.models import OutboxEvent
from apps.pools import services
from apps.pools.models import Pool, ReplicaTarget
from apps.reconcile.domain.priority import Priority
from apps.reconcile.models import QueueItem
from tests.support.pools import cluster_document, declare, delete, model_document, pool, pool_document
from tests.support.wait import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def make(*names: str, **spec: Any) -> list[Pool]:
    declare(cluster_document("/nowhere"), model_document(), *(pool_document(name, **spec) for name in names))
    QueueItem.objects.all().delete()
    OutboxEvent.objects.all().delete()
    Event.objects.all().delete()
    return [pool(name) for name in names]


def asked(count: int, *, asleep: int = 0, source: str = "autoscaler") -> list[services.Wanted]:
    return [services.Wanted("h200", count, source, f"h200 2 → {count}: a test", asleep=asleep)]


def told(one: Pool) -> dict[str, Any]:
    """What the database has of a pool's replicas, without names and times."""
    target = ReplicaTarget.objects.get(pool=one)
    change = ChangeRecord.objects.filter(uid=one.uid).latest("id")
    return {
        "target": (target.variant, target.desired, target.asleep, target.source, target.reason),
        "queued": list(QueueItem.objects.filter(uid=one.uid).values_list("priority", "shard")),
        "events": list(Event.objects.filter(uid=one.uid).values_list("type", "reason", "message", "source", "count")),
        "outbox": list(OutboxEvent.objects.filter(uid=one.uid).order_by("id").values_list("verb", "fields")),
        "change": (change.actor, change.action, change.before, change.after, change.reason),
    }


@pytest.mark.parametrize("wish", [3, 2, 99, 0], ids=["up", "as it was", "above its bound", "below it"])
@pytest.mark.parametrize("asleep", [0, 1])
def test_many_at_once_are_as_one_by_one(wish: int, asleep: int) -> None:
    alone, one, other = make("alone", "one", "other")
    single = services.set_replica_targets(pool=alone, wanted=asked(wish, asleep=asleep), actor="system:test")
    several = services.set_targets_of_several(
        {each.uid: asked(wish, asleep=asleep) for each in (one, other)}, actor="system:test"
    )
    assert several == {one.uid: single, other.uid: single}
    assert told(one) == told(other) == told(alone)
    again = ChangeRecord.objects.count()
    services.set_targets_of_several({one.uid: asked(wish, asleep=asleep)}, actor="system:test")
    assert ChangeRecord.objects.count() == again, "the same again is no change"


def test_who_is_refused_keeps_nobody_from_moving() -> None:
    free, going = make("free", "going")
    (theirs,) = make("theirs", autoscaling={"mode": "external"})
    delete("Pool", "going")
    nobody = uuid4()
    became = services.set_targets_of_several(
        {uid: asked(4) for uid in (free.uid, going.uid, theirs.uid, nobody)}, actor="system:test"
    )
    assert became[free.uid] == {"h200": 4}
    assert isinstance(became[going.uid], Clash)
    assert "is being deleted" in str(became[going.uid])
    assert isinstance(became[theirs.uid], Clash)
    assert "another scaler" in str(became[theirs.uid])
    assert isinstance(became[nobody], Missing)
    assert list(ReplicaTarget.objects.values_list("pool_id", flat=True)) == [free.uid]


def test_many_take_as_many_statements_as_two() -> None:
    pools = make(*(f"pool-{n}" for n in range(22)))
    counts = []
    for some in (pools[:2], pools[2:]):
        with CaptureQueriesContext(connection) as statements:
            services.set_targets_of_several({each.uid: asked(4) for each in some}, actor="system:test")
        counts.append(len(statements))
    assert ReplicaTarget.objects.filter(desired=4).count() == 22
    assert counts[0] == counts[1]


def test_a_pool_that_somebody_holds_keeps_no_other_waiting_and_has_its_turn() -> None:
    held, free = make("held", "free")
    locked, end = threading.Event(), threading.Event()

    def somebody() -> None:
        try:
            with transaction.atomic():
                Pool.objects.select_for_update().get(uid=held.uid)
                locked.set()
                end.wait(60)
        finally:
            connection.close()

    def many() -> None:
        try:
            services.set_targets_of_several({each.uid: asked(4) for each in (held, free)}, actor="system:test")
        finally:
            connection.close()

    threads = [threading.Thread(target=somebody), threading.Thread(target=many)]
    threads[0].start()
    assert locked.wait(60)
    threads[1].start()
    try:
        wait_until(lambda: ReplicaTarget.objects.filter(pool=free).exists(), message="the other pool has moved")
        assert not ReplicaTarget.objects.filter(pool=held).exists()
    finally:
        end.set()
        for thread in threads:
            thread.join(60)
    assert ReplicaTarget.objects.get(pool=held).desired == 4


class Decided:
    """As much of a decision as is written down as targets."""

    sentence = "h200 2 → 4: a test"
    before: tuple[Any, ...] = ()

    def __init__(self, replicas: int) -> None:
        self.targets = (type("Target", (), {"variant": "h200", "replicas": replicas, "asleep": 0})(),)


def test_where_all_at_once_fails_each_is_tried_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    fine, broken = make("fine", "broken")
    whole = autoscaling.set_targets_of_several

    def fragile(wanted: dict[UUID, Any], **named: Any) -> Any:
        if broken.uid in wanted:
            raise RuntimeError("the wheel came off")
        return whole(wanted, **named)

    monkeypatch.setattr(autoscaling, "set_targets_of_several", fragile)
    moves: Any = [(fine, Decided(4)), (broken, Decided(4))]
    outcomes = autoscaling.write_targets(moves)
    assert outcomes == {fine.uid: "Targets written.", broken.uid: "Not written; the worker's log says why."}
    assert list(ReplicaTarget.objects.values_list("pool_id", flat=True)) == [fine.uid]


def test_a_move_that_leaves_each_variant_as_it_was_is_no_failure() -> None:
    (one,) = make("one")
    same = Decided(4)
    same.before = (*same.targets, type("Target", (), {"variant": "gone"})())
    moves: Any = [(one, same)]
    assert autoscaling.write_targets(moves) == {one.uid: "Targets written."}
    assert not ReplicaTarget.objects.exists()


def test_starts_of_many_pools_are_kept_and_asked_for_where_they_grow() -> None:
    first, second = make("first", "second")
    services.record_starts({each.uid: {"h200": [60.0]} for each in (first, second)} | {uuid4(): {"h200": [1.0]}})
    assert {row.uid for row in QueueItem.objects.all()} == {first.uid, second.uid}
    assert {row.priority for row in QueueItem.objects.all()} == {Priority.DRIFT}
    QueueItem.objects.all().delete()
    services.record_starts({first.uid: {"h200": [61.0]}, second.uid: {"h200": [90.0, 95.0], "l40s": [20.0]}})
    assert [row.uid for row in QueueItem.objects.all()] == [second.uid], "a second more changes nothing"
    assert Pool.objects.get(uid=first.uid).status["startUp"]["h200"]["starts"] == [60.0, 61.0]
    kept = Pool.objects.get(uid=second.uid).status["startUp"]
    assert (kept["h200"]["starts"], kept["l40s"]["starts"]) == ([60.0, 90.0, 95.0], [20.0])
