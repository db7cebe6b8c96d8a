"""The work queue on a real Postgres: coalescing, leases, fencing, shards."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.clusters.models import Cluster
from apps.reconcile import queue, services, worker
from apps.reconcile.domain.dealing import MOST_IN_HAND
from apps.reconcile.domain.outcomes import Done, Outcome, Retry, Superseded, Terminal, Told, Untouched
from apps.reconcile.domain.priority import Priority
from apps.reconcile.models import QueueItem, Shard
from apps.reconcile.queue import Lease
from apps.reconcile.selectors import queue_state

KIND = "Thing"


def ask(uid: uuid.UUID | None = None, *, priority: Priority = Priority.PERSON, **more: Any) -> uuid.UUID:
    uid = uid or uuid.uuid4()
    services.enqueue(kind=KIND, uid=uid, priority=priority, **more)
    return uid


def take(lease: float = 30.0) -> Lease | None:
    return services.claim(kinds=[KIND], holder="test", lease=lease)


def taken(lease: float = 30.0) -> Lease:
    got = take(lease)
    assert got is not None
    return got


def row(uid: uuid.UUID) -> QueueItem:
    return QueueItem.objects.get(kind=KIND, uid=uid)


def seconds_until_due(uid: uuid.UUID) -> float:
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM due_at - clock_timestamp()) FROM reconcile_queue WHERE uid=%s", [uid])
        return float(cursor.fetchone()[0])


def expire(lease: Lease) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reconcile_queue SET lease_until = clock_timestamp() - interval '1 s', due_at = lease_until"
            " WHERE uid = %s",
            [lease.uid],
        )
        cursor.execute(
            "UPDATE reconcile_queue SET due_at = clock_timestamp() - interval '1 s' WHERE uid = %s", [lease.uid]
        )


@pytest.mark.django_db
def test_asking_twice_is_one_key_with_the_sooner_time_and_the_higher_urgency() -> None:
    uid = ask(priority=Priority.RESYNC, delay=60)
    ask(uid, priority=Priority.SCALING, delay=10)
    ask(uid, priority=Priority.DRIFT, delay=600)
    assert QueueItem.objects.count() == 1
    assert row(uid).priority == Priority.SCALING
    assert 8 < seconds_until_due(uid) <= 10


@pytest.mark.django_db
def test_a_person_goes_before_the_loops_whoever_came_first() -> None:
    late = ask(priority=Priority.RESYNC)
    soon = ask(priority=Priority.SCALING)
    first = ask(priority=Priority.PERSON)
    assert [taken().uid for _ in range(3)] == [first, soon, late]
    assert take() is None


@pytest.mark.django_db
def test_a_key_that_is_asked_for_while_worked_on_runs_once_more() -> None:
    uid = ask()
    lease = taken()
    ask(uid)
    assert take() is None, "a leased key is nobody else's"
    assert services.finish(lease, Done())
    again = taken()
    assert again.uid == uid
    assert services.finish(again, Done())
    assert not QueueItem.objects.exists()


@pytest.mark.django_db
def test_done_with_a_time_comes_back_then_and_not_before() -> None:
    uid = ask()
    assert services.finish(taken(), Done(requeue_after=15))
    assert 13 < seconds_until_due(uid) <= 15
    assert row(uid).priority == Priority.RESYNC
    assert take() is None


@pytest.mark.django_db
def test_asking_during_the_work_beats_the_time_of_the_outcome() -> None:
    uid = ask()
    lease = taken()
    ask(uid, priority=Priority.PERSON)
    assert services.finish(lease, Done(requeue_after=600))
    assert seconds_until_due(uid) <= 0
    assert taken().priority == Priority.PERSON


@pytest.mark.django_db
def test_retries_back_off_further_each_time_and_a_success_forgets_them() -> None:
    uid = ask()
    waits = []
    for _ in range(4):
        lease = taken()
        services.finish(lease, Retry("no"), chance=1.0)
        waits.append(round(seconds_until_due(uid)))
        QueueItem.objects.filter(uid=uid).update(due_at="2000-01-01T00:00:00Z")
    assert waits == [1, 2, 4, 8]
    assert row(uid).last_error == "no"
    services.finish(taken(), Done(requeue_after=0))
    assert row(uid).attempts == 0
    assert row(uid).last_error == ""


@pytest.mark.django_db
def test_a_change_by_a_person_ends_the_back_off() -> None:
    uid = ask()
    for _ in range(5):
        services.finish(taken(), Retry("no"), chance=1.0)
        QueueItem.objects.filter(uid=uid).update(due_at="2000-01-01T00:00:00Z")
    services.finish(taken(), Retry("no"), chance=1.0)
    assert seconds_until_due(uid) > 25
    ask(uid, priority=Priority.PERSON)
    assert taken().attempts == 1


@pytest.mark.django_db
def test_terminal_leaves_the_queue_until_somebody_asks() -> None:
    uid = ask()
    services.finish(taken(), Terminal("cannot be"))
    assert not QueueItem.objects.exists()
    ask(uid)
    lease = taken()
    ask(uid)
    services.finish(lease, Terminal("cannot be"))
    assert taken().uid == uid, "asked for during the work: it runs once more"


@pytest.mark.django_db
def test_superseded_runs_again_at_once() -> None:
    uid = ask(priority=Priority.SCALING)
    services.finish(taken(), Superseded())
    lease = taken()
    assert (lease.uid, lease.priority) == (uid, Priority.SCALING)


@pytest.mark.django_db
def test_an_expired_lease_is_taken_over_and_the_first_holder_can_write_nothing() -> None:
    uid = ask()
    dead = taken()
    expire(dead)
    heir = taken()
    assert heir.fence > dead.fence
    assert not services.renew(dead)
    assert not services.finish(dead, Done())
    assert not services.finish(dead, Retry("late"))
    assert not services.finish(dead, Terminal("late"))
    assert row(uid).fence == heir.fence
    assert row(uid).last_error == ""
    with pytest.raises(services.LeaseLost), services.holding(dead, Cluster):
        raise AssertionError("a lost lease was held")
    assert services.finish(heir, Done())


@pytest.mark.django_db
def test_holding_a_lost_lease_writes_nothing() -> None:
    ask()
    dead = taken()
    expire(dead)
    with pytest.raises(services.LeaseLost), services.holding(dead, Cluster):
        Shard.objects.create(name="written")
    assert not Shard.objects.exists()


@pytest.mark.django_db
def test_renewing_prolongs_the_lease() -> None:
    ask()
    lease = taken(lease=0.2)
    assert services.renew(lease, seconds=60)
    assert take() is None
    assert services.finish(lease, Done())


@pytest.mark.django_db
def test_a_shard_has_a_limit_and_does_not_hold_up_the_others() -> None:
    for _ in range(queue.SHARD_LIMIT + 3):
        ask(shard="slow")
    other = ask(shard="quick", priority=Priority.RESYNC)
    held = [taken() for _ in range(queue.SHARD_LIMIT + 1)]
    assert [lease.shard for lease in held].count("slow") == queue.SHARD_LIMIT
    assert held[-1].uid == other
    assert take() is None
    services.finish(held[0], Done())
    assert taken().shard == "slow"


@pytest.mark.django_db
def test_slow_keys_go_to_one_worker_each_quick_ones_a_few_together_and_many_in_hands_of_one_shard() -> None:
    def deal(most: int, **sizes: int) -> list[list[Lease]]:
        hands: dict[str, list[Lease]] = {}
        for lease in queue.claim(kinds=[KIND], holder="test", most=most, tripped=3, limit=4, sizes=sizes):
            hands.setdefault(lease.hand, []).append(lease)
        return list(hands.values())

    for _ in range(3):
        ask(shard="slow")
    assert [len(hand) for hand in deal(4, slow=1)] == [1, 1, 1]
    for _ in range(12):
        ask(shard="quick")
    assert [len(hand) for hand in deal(4, quick=16)] == [6, 6]
    urgent = ask(shard="many", priority=Priority.PERSON)
    for _ in range(40):
        ask(shard="many", priority=Priority.RESYNC)
    first, second = deal(2, many=6)
    assert (len(first), len(second)) == (6, 6)
    assert first[0].uid == urgent
    assert {lease.shard for lease in [*first, *second]} == {"many"}
    rest = deal(8, many=6)
    assert [len(hand) for hand in rest] == [6, 6], "four hands at once, however many keys they hold"
    assert deal(8, many=6) == []
    assert services.finish_several([(lease, Done()) for lease in first]) == [True] * 6
    assert [len(hand) for hand in deal(8, many=6)] == [6]


@pytest.mark.django_db
def test_a_key_that_nobody_got_to_is_given_back_as_it_was() -> None:
    uid = ask(priority=Priority.SCALING)
    services.finish(taken(), Retry("no", after=0), chance=1.0)
    before = row(uid)
    assert services.finish(taken(), Untouched())
    after = row(uid)
    assert (after.attempts, after.last_error, after.priority) == (before.attempts, "no", before.priority)
    assert after.due_at == before.due_at, "nobody goes before it for that"
    assert taken().uid == uid


@pytest.mark.django_db
def test_what_is_told_is_written_with_the_outcome_or_the_key_runs_again(registered: Callable[..., None]) -> None:
    written: list[Any] = []

    def recorder(rows: Any) -> dict[int, bool]:
        written.extend(said for _, said in rows if said != "moved")
        return {lease.fence: said != "moved" for lease, said in rows if said != "lost"}

    registered(lambda lease: Done(), recorder=recorder)
    for _ in range(3):
        ask()
    one, moved, lost = (taken() for _ in range(3))
    done = [(one, Told(Done(), "said")), (moved, Told(Done(), "moved")), (lost, Told(Done(), "lost"))]
    assert services.finish_several(done) == [True, True, False]
    assert written == ["said", "lost"]
    assert row(moved.uid).lease_until is None, "superseded: due at once"
    assert row(lost.uid).fence == lost.fence, "nothing of it is settled"
    assert not QueueItem.objects.filter(uid=one.uid).exists()


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_written_down_keeps_nobody_else_waiting(registered: Callable[..., None]) -> None:
    def recorder(rows: Any) -> dict[int, bool]:
        if any(said == "bad" for _, said in rows):
            raise ValueError("that is no text")
        return {lease.fence: True for lease, _ in rows}

    good, bad = ask(shard="s"), ask(shard="s")
    registered(lambda lease: Told(Done(), "bad" if lease.uid == bad else "good"), recorder=recorder)
    desk = worker.Desk(lambda: [KIND], lambda: 8)
    hands = [desk.exchange([])[1] for _ in range(2)]
    done = [(lease, worker._run(lease, worker._controllers[KIND].controller)) for hand in hands for lease in hand]
    assert desk.exchange(done, wants=False) == ([], [])
    assert not QueueItem.objects.filter(uid=good).exists()
    assert "that is no text" in row(bad).last_error


@pytest.mark.django_db
def test_faults_of_a_cluster_open_its_breaker_and_one_probe_closes_it() -> None:
    for _ in range(6):
        ask(shard="dead")
    for _ in range(3):
        services.finish(taken(), Retry("no route to host", shard_fault=True), chance=1.0)
    assert take() is None, "open: nothing of the shard is tried"
    alive = ask(shard="alive")
    assert taken().uid == alive
    Shard.objects.update(open_until="2000-01-01T00:00:00Z")
    probe = taken()
    assert probe.shard == "dead"
    assert take() is None, "half open: one at a time"
    services.finish(probe, Done())
    assert not Shard.objects.exists()
    assert taken().shard == "dead"
    assert taken().shard == "dead"


@pytest.mark.django_db
def test_a_cluster_that_answers_again_ends_the_back_off_of_its_keys_alone() -> None:
    for shard in ("back", "back", "back", "still-away"):
        ask(shard=shard)
    for _ in range(4):
        services.finish(taken(), Retry("no route to host", after=200, shard_fault=True))
    later = ask(shard="back", delay=100)
    assert services.shard_answers("back") == 3
    assert [taken().shard for _ in range(3)] == ["back"] * 3
    assert take() is None
    assert seconds_until_due(later) > 90, "what was to come later comes later"


@pytest.mark.django_db
def test_the_fence_lets_nobody_write_after_the_lease() -> None:
    ask()
    lease = taken()
    fence = services.Fence(lease, fresh=0.0)
    fence.check()
    expire(lease)
    with pytest.raises(services.LeaseLost):
        fence.check()


@pytest.mark.django_db
def test_a_retry_of_the_object_itself_does_not_count_against_its_cluster() -> None:
    for _ in range(5):
        ask(shard="fine")
    for _ in range(4):
        services.finish(taken(), Retry("image is missing"), chance=1.0)
    assert taken().shard == "fine"


@pytest.mark.django_db
def test_resync_puts_back_what_fell_out_and_leaves_the_rest_alone(registered: Callable[..., None]) -> None:
    here, gone = ask(delay=500), uuid.uuid4()
    registered(lambda lease: Done(), keys=lambda: [(here, "a"), (gone, "a")])
    assert worker.resync() == 1
    assert seconds_until_due(here) > 400
    assert taken().uid == gone
    assert worker.resync() == 0


@pytest.mark.django_db
def test_the_state_of_the_queue_counts_by_the_clock_of_the_database() -> None:
    ask()
    ask(delay=100)
    failed = ask(priority=Priority.RESYNC)
    services.finish(services.claim(kinds=[KIND], holder="t") or taken(), Retry("no", after=50))
    lease = taken()
    state = queue_state()
    assert lease.uid == failed
    assert (state.total, state.due, state.leased, state.retrying) == (3, 0, 1, 1)
    services.finish(lease, Superseded())
    QueueItem.objects.filter(uid=failed).update(due_at="2000-01-01T00:00:00Z")
    assert queue_state().due == 1
    assert queue_state().oldest_due_seconds > 1e6


@pytest.fixture
def registered() -> Iterator[Callable[..., None]]:
    def register(controller: Callable[[Lease], Outcome], **more: Any) -> None:
        worker.register_controller(KIND, controller, **more)

    yield register
    worker._controllers.pop(KIND, None)
    services._recorders.pop(KIND, None)


@pytest.mark.django_db(transaction=True)
def test_threads_draining_together_work_on_each_key_once(registered: Callable[..., None]) -> None:
    seen: list[uuid.UUID] = []
    at_once: list[int] = []
    running = 0
    guard = threading.Lock()

    def controller(lease: Lease) -> Outcome:
        nonlocal running
        with guard:
            running += 1
            seen.append(lease.uid)
            at_once.append(running)
            first = len(seen) <= 4
        if first:
            meeting.wait()
        with guard:
            running -= 1
        return Done()

    uids = {ask(shard=f"c{i % 2}") for i in range(24)}
    meeting = threading.Barrier(4, timeout=20)
    registered(controller)

    def work() -> None:
        try:
            worker.drain(budget=20)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(seen) == sorted(uids), "each key exactly once"
    assert max(at_once) == 4, "they ran side by side"
    assert not QueueItem.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_hand_of_many_keys_wakes_somebody_for_the_others_and_a_small_one_nobody(
    registered: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    registered(lambda _: Done())
    worker._desk.took("quick", 0.001)
    asked: list[None] = []
    for _ in range(3):
        ask(shard="quick")
    monkeypatch.setattr(worker.wakeup, "request", lambda: asked.append(None))
    assert worker.drain(budget=20) == 3
    assert asked == []
    for _ in range(MOST_IN_HAND + 3):
        ask(shard="quick")
    del asked[:]
    assert worker.drain(budget=20) == MOST_IN_HAND + 3
    assert asked


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_comes_late_to_its_own_budget_works_on_one_hand(registered: Callable[..., None]) -> None:
    registered(lambda _: Done())
    for shard in ("late-a", "late-b"):
        ask(shard=shard)
    assert worker.drain(budget=-1) == 1
    assert worker.drain(budget=-1) == 1
    assert worker.drain(budget=-1) == 0


@pytest.mark.django_db(transaction=True)
def test_the_block_around_a_hand_ends_before_its_keys_are_settled(registered: Callable[..., None]) -> None:
    seen: list[str] = []

    @contextmanager
    def around() -> Iterator[None]:
        seen.append("opened")
        yield
        held = QueueItem.objects.filter(kind=KIND, lease_until__isnull=False).count()
        seen.append(f"closed while {held} were held")

    def controller(_: Lease) -> Outcome:
        seen.append("worked")
        return Done()

    worker._desk.took("around", 0.001)
    registered(controller, around=around)
    for _ in range(2):
        ask(shard="around")
    assert worker.drain(budget=20) == 2
    assert seen == ["opened", "worked", "worked", "closed while 2 were held"]


@pytest.mark.django_db(transaction=True)
def test_an_error_in_a_controller_is_a_retry_with_its_sentence(registered: Callable[..., None]) -> None:
    def broken(lease: Lease) -> Outcome:
        raise RuntimeError("the wheel came off")

    registered(broken)
    uid = ask()
    assert worker.drain(budget=5) == 1
    assert "the wheel came off" in row(uid).last_error
    assert seconds_until_due(uid) > 0


@pytest.mark.django_db(transaction=True)
def test_a_loser_that_wakes_up_late_touches_no_row(registered: Callable[..., None]) -> None:
    def slow(lease: Lease) -> Outcome:
        expire(lease)
        heir = taken()
        services.finish(heir, Done(requeue_after=100))
        with services.holding(lease, Cluster):
            Shard.objects.create(name="late")
        return Done()

    registered(slow)
    uid = ask()
    assert worker.drain(budget=5) == 1
    assert not Shard.objects.exists()
    assert seconds_until_due(uid) > 90, "the heir's word stands"


@pytest.mark.django_db(transaction=True)
def test_a_pinned_lease_cannot_be_claimed_until_the_write_commits() -> None:
    ask()
    lease = taken(lease=0.5)
    with services.holding(lease, Cluster):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.6)")
        got: list[Lease | None] = []

        def rival() -> None:
            try:
                got.append(take())
            finally:
                connection.close()

        thread = threading.Thread(target=rival)
        thread.start()
        thread.join(60)
        assert got == [None], "expired meanwhile, but pinned"
    assert take() is not None


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_is_asked_for_once_the_change_is_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []
    monkeypatch.setattr("apps.reconcile.wakeup.request", lambda: asked.append(True))
    with transaction.atomic():
        ask()
        assert asked == []
    assert asked == [True]


def test_a_wake_up_that_cannot_be_sent_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    from apps.reconcile.wakeup import Waker

    tried = threading.Event()
    waker = Waker()

    def refuse() -> None:
        tried.set()
        raise ConnectionError("no broker")

    monkeypatch.setattr(waker, "send", refuse)
    waker.request()
    assert tried.wait(60)
    tried.clear()
    waker.request()
    assert tried.wait(60), "the thread lives on"


class TestAnyHistory(TestCase):
    """Whatever happens to one key, in any order, the queue keeps its promises."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        steps=st.lists(
            st.sampled_from(["ask", "claim", "expire", "done", "requeue", "retry", "terminal", "superseded"]),
            max_size=25,
        )
    )
    def test_one_holder_at_a_time_and_no_ask_is_lost(self, steps: list[str]) -> None:
        uid = uuid.uuid4()
        holder: Lease | None = None
        unanswered = False  # asked for, and no work has begun since
        past: list[Lease] = []
        for step in steps:
            if step == "ask":
                ask(uid)
                unanswered = True
            elif step == "claim":
                got = take()
                if holder is not None:
                    assert got is None
                elif got is not None:
                    assert all(got.fence > old.fence for old in past)
                    holder, unanswered = got, False
                    past.append(got)
                else:
                    assert not unanswered, "a due key that nobody holds can be claimed"
            elif holder is not None:
                if step == "expire":
                    expire(holder)
                    unanswered = True
                else:
                    outcome = {
                        "done": Done(),
                        "requeue": Done(requeue_after=100.0),
                        "retry": Retry("no"),
                        "terminal": Terminal("no"),
                        "superseded": Superseded(),
                    }[step]
                    assert services.finish(holder, outcome, chance=1.0)
                    unanswered = unanswered or step == "superseded"
                holder = None
            for old in past:
                if holder is None or old.fence != holder.fence:
                    assert not services.renew(old)
            assert QueueItem.objects.filter(uid=uid).count() <= 1
            if unanswered and holder is None:
                assert QueueItem.objects.filter(uid=uid).exists()
