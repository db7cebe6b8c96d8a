"""Roll-outs: which strategy, when one stops by itself, what people may do. The pure part."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pools.domain.pods import Replica, not_placed, read_pod
from apps.pools.domain.rollout import (
    BESIDE,
    IN_PLACE,
    Blame,
    Held,
    Seen,
    Situation,
    Strategy,
    VariantProgress,
    allowed,
    blame,
    choose,
    newest_set,
    newest_template,
    step,
    suspect,
)

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
DEADLINE = timedelta(minutes=30)


def situation(**more: Any) -> Situation:
    given: dict[str, Any] = {
        "present": BESIDE,
        "rolling": False,
        "changes": False,
        "free": None,
        "needed": 1,
        "no_room": False,
    }
    return Situation(**{**given, **more})


def test_a_pool_that_fills_its_nodes_is_rolled_one_by_one() -> None:
    assert choose(None, None, situation(changes=True, free=0)) == IN_PLACE
    assert choose(None, None, situation(changes=True, free=3, needed=4)) == IN_PLACE
    assert choose(None, None, situation(changes=True, free=4, needed=4)) == BESIDE


def test_what_is_not_known_takes_no_capacity_away() -> None:
    assert choose(None, None, situation(changes=True, free=None)) == BESIDE


def test_a_replica_beside_the_others_that_finds_no_room_changes_the_strategy_and_it_stays_changed() -> None:
    assert choose(None, None, situation(rolling=True, no_room=True)) == IN_PLACE
    assert choose(None, None, situation(rolling=True, present=IN_PLACE, no_room=False, free=8)) == IN_PLACE


def test_engines_without_accelerators_always_surge() -> None:
    assert choose(None, None, situation(changes=True, free=0, needed=0)) == BESIDE


@given(st.booleans(), st.one_of(st.none(), st.integers(0, 9)), st.booleans())
def test_a_steady_pool_keeps_its_strategy_whatever_the_stock(in_place: bool, free: int | None, no_room: bool) -> None:
    present = IN_PLACE if in_place else BESIDE
    assert choose(None, None, situation(present=present, free=free, no_room=no_room)) == present


@given(
    st.one_of(st.none(), st.integers(0, 5)),
    st.one_of(st.none(), st.integers(0, 5)),
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 9)),
    st.booleans(),
)
def test_a_strategy_always_moves_and_what_is_declared_holds(
    surge: int | None, unavailable: int | None, rolling: bool, changes: bool, free: int | None, no_room: bool
) -> None:
    if (surge, unavailable) == (0, 0):
        return  # refused where it is declared
    chosen = choose(
        surge, unavailable, situation(rolling=rolling, changes=changes, free=free, no_room=no_room, present=None)
    )
    assert chosen.max_surge + chosen.max_unavailable > 0
    assert surge in (None, chosen.max_surge)
    assert unavailable in (None, chosen.max_unavailable)


# --- stopping ---------------------------------------------------------------------------------------------------
def variant(**more: Any) -> VariantProgress:
    given: dict[str, Any] = {"desired": 2, "updated": 1, "ready": 2, "old": 2, "settled": False, "late": False}
    return VariantProgress(name="h200", strategy=BESIDE, **{**given, **more})


def seen(*variants: VariantProgress, template: str = "t2", blames: dict[str, Blame] | None = None) -> Seen:
    return Seen(template, 2, variants, blames or {}, DEADLINE)


MOVING = Held("t2", 2, "Progressing", "ReplicasStarting", "", NOW - timedelta(minutes=1))
IMAGE = Blame("ImagePull", "chat-1", "vllm", "ImagePullBackOff", "no such image")


def test_a_new_template_begins_a_roll_out_and_ends_a_pause_or_stop() -> None:
    for state in ("Idle", "Complete", "Paused", "Stopped", "Progressing"):
        held = Held("t1", 1, state, "R", "m", NOW, NOW, NOW)  # type: ignore[arg-type]
        after = step(held, seen(variant()), NOW)
        assert (after.state, after.template, after.generation) == ("Progressing", "t2", 2)
        assert (after.started_at, after.resumed_at, after.finished_at) == (NOW, None, None)


@pytest.mark.parametrize(("old", "reason"), [(1, "ReplicasStopping"), (0, "ReplicasStarting")])
def test_replicas_of_an_older_spec_leave_only_while_there_are_any(old: int, reason: str) -> None:
    """A moment after the last one is ready its Deployment does not say so yet."""
    assert step(MOVING, seen(variant(updated=2, old=old)), NOW).reason == reason


def test_it_stops_when_a_new_replica_will_not_become_ready_while_old_ones_serve() -> None:
    after = step(MOVING, seen(variant(), blames={"h200": IMAGE}), NOW)
    assert (after.state, after.reason) == ("Stopped", "ImagePull")
    assert "chat-1" in after.message
    assert "no such image" in after.message
    assert step(after, seen(variant(), blames={}), NOW) == after, "and stays so"


def test_with_nothing_to_keep_it_goes_on_trying() -> None:
    assert step(MOVING, seen(variant(old=0), blames={"h200": IMAGE}), NOW).state == "Progressing"


def test_a_resumed_one_is_stopped_by_the_deadline_only() -> None:
    resumed = replace(MOVING, resumed_at=NOW)
    late = variant(late=True)
    assert step(resumed, seen(late, blames={"h200": IMAGE}), NOW + DEADLINE).state == "Progressing"
    after = step(resumed, seen(late, blames={"h200": IMAGE}), NOW + DEADLINE + timedelta(seconds=1))
    assert (after.state, after.reason) == ("Stopped", "ImagePull")


def test_the_deadline_stops_it_with_what_is_known() -> None:
    after = step(MOVING, seen(variant(late=True)), NOW)
    assert (after.state, after.reason) == ("Stopped", "ProgressDeadlineExceeded")
    room = Blame("Unschedulable", "chat-1", "", "Unschedulable", "0/2 nodes are available")
    assert step(MOVING, seen(variant(late=True), blames={"h200": room}), NOW).reason == "Unschedulable"


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=4))
def test_it_is_complete_exactly_when_every_variant_is_settled(rows: list[tuple[bool, bool, int]]) -> None:
    variants = [variant(settled=settled, old=old) for settled, _, old in rows]
    after = step(MOVING, seen(*variants), NOW)
    assert (after.state == "Complete") == all(settled for settled, _, _ in rows)
    assert step(after, seen(*variants), NOW) == after, "looking again changes nothing"


@pytest.mark.parametrize(
    ("replicas", "sentence"),
    [
        (0, "no replica of an older spec is left"),
        (3, "every replica is of the newest spec"),
    ],
)
def test_a_complete_one_says_what_stays_true_of_more_and_fewer_replicas(replicas: int, sentence: str) -> None:
    settled = replace(variant(settled=True, old=0), desired=replicas)
    assert step(MOVING, seen(settled), NOW).message == sentence


@pytest.mark.parametrize("state", ["Idle", "Progressing", "Paused", "Stopped", "Complete"])
def test_actions_follow_the_state(state: Any) -> None:
    can = allowed(replace(MOVING, state=state), 1)
    assert can == {
        "pause": state == "Progressing",
        "resume": state in ("Paused", "Stopped"),
        "abort": state in ("Progressing", "Paused", "Stopped"),
    }
    assert not allowed(replace(MOVING, state=state), None)["abort"], "nothing to go back to"


# --- blame ------------------------------------------------------------------------------------------------------
def pod(reason: str, *, restarts: int = 2, message: str = "") -> Replica:
    waiting = {"waiting": {"reason": reason, "message": message}}
    return read_pod(
        {
            "metadata": {"name": "p", "labels": {"pod-template-hash": "abc"}},
            "status": {"containerStatuses": [{"name": "vllm", "restartCount": restarts, "state": waiting}]},
        }
    )


@pytest.mark.parametrize(
    ("reason", "lines", "cause", "last"),
    [
        ("ImagePullBackOff", [], "ImagePull", ""),
        ("CreateContainerConfigError", [], "BadConfig", ""),
        ("CrashLoopBackOff", ["usage: vllm", "vllm: error: unrecognized arguments: --fast"], "BadFlag", "--fast"),
        ("CrashLoopBackOff", ["torch.OutOfMemoryError: CUDA out of memory.", "exiting"], "OutOfMemory", "CUDA out"),
        (
            "CrashLoopBackOff",
            [
                "ValueError: To serve at least one request with max seq len (131072), 16.00 GiB KV cache is needed, "
                "which is larger than the available KV cache memory (9.1 GiB)."
            ],
            "OutOfMemory",
            "larger than",
        ),
        ("OOMKilled", ["loading weights"], "OutOfMemory", "loading weights"),
        ("CrashLoopBackOff", ["RuntimeError: boom", ""], "Crashing", "boom"),
        ("CrashLoopBackOff", [], "Crashing", ""),
    ],
)
def test_the_cause_comes_from_the_status_and_the_last_lines(
    reason: str, lines: list[str], cause: str, last: str
) -> None:
    found = blame(pod(reason), lines)
    assert found.cause == cause
    assert last in found.last_line
    assert "h200" in found.sentence("h200")


@pytest.mark.parametrize(
    ("scheduled", "cause", "words"),
    [
        ({"reason": "Unschedulable", "message": "0/2 nodes are available"}, "Unschedulable", "0/2 nodes"),
        ({"reason": "SchedulingGated", "message": "is blocked"}, "SchedulingGated", "kueue.x-k8s.io/admission"),
        (None, "NoScheduler", "its schedulerName is kai-scheduler"),
    ],
)
def test_a_late_replica_that_is_on_no_node_is_blamed_for_what_it_waits_for(
    scheduled: dict[str, str] | None, cause: str, words: str
) -> None:
    conditions = [{"type": "PodScheduled", "status": "False", **scheduled}] if scheduled else []
    waits = read_pod(
        {
            "metadata": {"name": "p", "creationTimestamp": (NOW - timedelta(minutes=9)).isoformat()},
            "spec": {"schedulerName": "kai-scheduler", "schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]},
            "status": {"phase": "Pending", "conditions": conditions},
        }
    )
    found = not_placed([replace(waits, name="gone", terminating=True), waits], NOW)
    assert found is not None
    blamed = blame(found, [])
    assert (blamed.cause, blamed.pod) == (cause, "p")
    stopped = step(MOVING, seen(variant(late=True), blames={"h200": blamed}), NOW)
    assert (stopped.state, stopped.reason) == ("Stopped", cause)
    assert words in stopped.message


def test_one_crash_is_no_verdict_and_a_bad_image_is() -> None:
    assert suspect(variant(newest=(pod("CrashLoopBackOff", restarts=1),))) is None
    assert suspect(variant(newest=(pod("CrashLoopBackOff", restarts=2),))) is not None
    assert suspect(variant(newest=(pod("ImagePullBackOff", restarts=0),))) is not None
    assert suspect(variant(newest=(pod("Unschedulable", restarts=0),))) is None
    given_up = replace(pod("ImagePullBackOff", restarts=0), terminating=True)
    assert suspect(variant(newest=(given_up,))) is None, "what is on its way out stops nothing"


def test_the_newest_set_is_the_one_that_has_the_deployments_template() -> None:
    def template(image: str, **labels: str) -> dict[str, Any]:
        return {"metadata": {"labels": {"app": "x", **labels}}, "spec": {"containers": [{"image": image}]}}

    def replica_set(revision: str, hash_: str, image: str, owner: str = "d") -> dict[str, Any]:
        labels = {"pod-template-hash": hash_}
        metadata = {"annotations": {"deployment.kubernetes.io/revision": revision}, "labels": labels}
        return {
            "metadata": {**metadata, "ownerReferences": [{"uid": owner}]},
            "spec": {"template": template(image, **labels)},
        }

    def live(image: str) -> dict[str, Any]:
        return {"metadata": {"uid": "d"}, "spec": {"template": template(image)}}

    sets = [
        replica_set("8", "older", "b"), replica_set("9", "old", "a"), replica_set("10", "new", "b"),
        replica_set("11", "foreign", "a", "other"),
    ]  # fmt: skip
    assert newest_set(live("b"), sets) == "new"
    assert newest_set(live("a"), sets) == "old", "a roll-back, before its controller has looked"
    assert newest_set(live("c"), sets) is None, "its set is not made yet"
    assert newest_set(live("a"), []) is None


def test_of_groups_a_pod_of_before_the_roll_out_is_none_of_the_newest() -> None:
    began = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    live = {"kind": "LeaderWorkerSet", "metadata": {"uid": "d", "generation": 3}, "status": {"observedGeneration": 3}}
    failed = replace(pod("Crashing"), created_at="2026-11-26T11:59:00Z", template="bad")
    fresh = replace(pod("Crashing"), created_at="2026-11-26T12:00:01Z", template="good")
    assert newest_template(live, [], [failed], began) is None
    assert newest_template(live, [], [failed, fresh], began) == "good"
    assert newest_template(live, [], [failed]) == "bad"
    assert newest_template({**live, "status": {"observedGeneration": 2}}, [], [fresh], began) is None


def test_a_strategy_says_why() -> None:
    assert Strategy(0, 1, "x").to_json() == {"maxSurge": 0, "maxUnavailable": 1, "why": "x"}
