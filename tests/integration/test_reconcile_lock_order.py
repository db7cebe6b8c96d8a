"""A person's edit and a controller's record of the same object wait for each other; neither is thrown out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from apps.clusters.models import Cluster
from apps.core import clock
from apps.reconcile import services
from apps.reconcile.domain.priority import Priority
from tests.support.wait import wait_until
from tests.support.waiting import somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_edit_that_enqueues_and_a_status_write_that_holds_the_lease_do_not_deadlock():
    now = clock.now()
    cluster = Cluster.objects.create(team="platform", name="c", spec={}, created_at=now, updated_at=now)
    services.enqueue(kind="Cluster", uid=cluster.uid, priority=Priority.PERSON)
    lease = services.claim(kinds=["Cluster"], holder="worker")
    assert lease is not None
    edited = threading.Event()

    def edit() -> None:
        try:
            with transaction.atomic():
                Cluster.objects.filter(pk=cluster.uid).update(generation=2)
                edited.set()
                wait_until(somebody_waits, message="the controller waits for the edit")
                services.enqueue(kind="Cluster", uid=cluster.uid, priority=Priority.PERSON)
        finally:
            connection.close()

    def record() -> bool:
        try:
            assert edited.wait(60)
            with services.holding(lease, Cluster, "generation") as (generation,):
                return bool(generation == 1)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        editing, recording = pool.submit(edit), pool.submit(record)
        editing.result(30)
        assert recording.result(30) is False, "the object moved on: a stale status would be seen to be one"
