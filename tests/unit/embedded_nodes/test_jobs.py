"""What a Job does next: pods are invented, time is given, each plan is followed until the Job is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.controllers.domain import jobs
from apps.embedded.domain.objects import find_condition, rfc3339

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def job(**spec: Any) -> dict[str, Any]:
    template = {"spec": {"restartPolicy": spec.pop("restartPolicy", "Never"), "containers": []}}
    defaults = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "template": template}
    return {"metadata": {"name": "j", "uid": "u"}, "spec": {**defaults, **spec}, "status": {}}


def pod(number: int, phase: str, *, at: datetime = NOW, index: int | None = None, **metadata: Any) -> dict[str, Any]:
    ended = {"terminated": {"exitCode": int(phase == "Failed"), "finishedAt": rfc3339(at)}}
    notes = {jobs.INDEX: str(index)} if index is not None else {}
    return {
        "metadata": {"name": f"p{number}", "uid": f"p{number}", "annotations": notes, **metadata},
        "spec": {"nodeName": "n"},
        "status": {"phase": phase, "containerStatuses": [{"restartCount": 0, "state": ended}]},
    }


def counted(declared: dict[str, Any], pods: list[dict[str, Any]]) -> dict[str, Any]:
    """The Job after its ended pods were written into the status; they keep no finalizer."""
    for each in pods:
        each["metadata"]["finalizers"] = [jobs.TRACKING]
    status = jobs.announce(declared, pods)
    return declared if status is None else {**declared, "status": status}


def conditions(plan: jobs.Plan) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in plan.status.get("conditions", [])}


def test_it_starts_as_many_as_may_run_side_by_side() -> None:
    plan = jobs.plan(job(parallelism=3, completions=5), [], NOW)
    assert plan.create == (None, None, None)
    assert plan.status["startTime"] == rfc3339(NOW)
    running = [pod(number, "Running") for number in range(3)]
    assert jobs.plan(job(parallelism=3, completions=5), running, NOW).create == ()
    assert jobs.plan(job(parallelism=1, completions=5), running, NOW).delete == tuple(running[1:])


def test_the_last_success_completes_it() -> None:
    declared = counted(job(completions=2, parallelism=2), [pod(0, "Succeeded"), pod(1, "Succeeded")])
    plan = jobs.plan(declared, [], NOW)
    assert plan.verdict == jobs.COMPLETED
    assert conditions(plan) == {"SuccessCriteriaMet": "True", "Complete": "True"}
    assert (plan.status["succeeded"], plan.status["completionTime"]) == (2, rfc3339(NOW))


def test_an_ended_pod_is_counted_once_however_often_it_is_seen() -> None:
    ended = [pod(0, "Succeeded"), pod(1, "Failed")]
    declared = counted(job(completions=3, parallelism=2), ended)
    assert jobs.announce(declared, ended) is None
    assert [each["metadata"]["name"] for each in jobs.to_untrack(declared, ended)] == ["p0", "p1"]
    first = jobs.plan(declared, ended, NOW)
    assert (first.status["succeeded"], first.status["failed"]) == (1, 1)
    for each in ended:
        each["metadata"]["finalizers"] = []
    again = {**declared, "status": first.status}
    assert jobs.announce(again, ended) is None
    second = jobs.plan(again, ended, NOW)
    assert (second.status["succeeded"], second.status["failed"]) == (1, 1)


def test_failures_wait_longer_each_time_and_end_it_beyond_the_limit() -> None:
    declared = counted(job(backoffLimit=1), failed := [pod(0, "Failed")])
    plan = jobs.plan(declared, failed, NOW)
    assert (plan.create, plan.wait) == ((), 10.0)
    assert jobs.plan(declared, failed, NOW + timedelta(seconds=10)).create == (None,)
    beyond = counted(job(backoffLimit=1), failed := [pod(0, "Failed"), pod(1, "Failed")])
    plan = jobs.plan(beyond, failed, NOW)
    assert plan.verdict == jobs.BACKOFF
    assert conditions(plan) == {"FailureTarget": "True", "Failed": "True"}
    two = counted(job(backoffLimit=6), failed)
    assert jobs.plan(two, failed, NOW).wait == 20.0


def test_what_still_runs_is_ended_before_the_job_is() -> None:
    failed, running = pod(0, "Failed"), pod(1, "Running")
    declared = counted(job(backoffLimit=0, parallelism=2, completions=2), [failed, running])
    plan = jobs.plan(declared, [failed, running], NOW)
    assert plan.verdict is None
    assert plan.delete == (running,)
    assert conditions(plan) == {"FailureTarget": "True"}
    later = jobs.plan({**declared, "status": plan.status}, [failed], NOW)
    assert later.verdict == jobs.BACKOFF


def test_a_deadline_counts_from_the_start() -> None:
    declared = job(activeDeadlineSeconds=60)
    plan = jobs.plan(declared, [], NOW)
    assert plan.wait == 60
    late = jobs.plan({**declared, "status": plan.status}, [], NOW + timedelta(seconds=61))
    assert late.verdict == jobs.DEADLINE


def test_a_suspended_job_has_no_pods_and_goes_on_when_resumed() -> None:
    running = pod(0, "Running")
    plan = jobs.plan(job(suspend=True), [running], NOW)
    assert plan.delete == (running,)
    assert conditions(plan) == {"Suspended": "True"}
    assert "startTime" not in plan.status
    resumed = jobs.plan({**job(), "status": plan.status}, [], NOW)
    assert conditions(resumed) == {"Suspended": "False"}
    assert resumed.create == (None,)


def test_each_index_succeeds_once() -> None:
    spec = {"completionMode": "Indexed", "completions": 4, "parallelism": 3}
    assert jobs.plan(job(**spec), [], NOW).create == (0, 1, 2)
    pods = [pod(0, "Succeeded", index=0), pod(1, "Running", index=1), pod(2, "Failed", index=2)]
    declared = counted(job(**spec), pods)
    plan = jobs.plan(declared, pods, NOW + timedelta(seconds=10))
    assert plan.create == (2, 3)
    assert plan.status["completedIndexes"] == "0"


def test_restarts_in_place_count_against_the_limit() -> None:
    restarting = pod(0, "Running")
    restarting["status"]["containerStatuses"][0]["restartCount"] = 2
    assert jobs.plan(job(restartPolicy="OnFailure", backoffLimit=2), [restarting], NOW).delete == (restarting,)
    assert jobs.plan(job(restartPolicy="OnFailure", backoffLimit=3), [restarting], NOW).delete == ()


def test_a_finished_job_expires() -> None:
    plan = jobs.plan(counted(job(ttlSecondsAfterFinished=30), [pod(0, "Succeeded")]), [], NOW)
    finished = {**job(ttlSecondsAfterFinished=30), "status": plan.status}
    assert jobs.is_finished(finished)
    assert jobs.seconds_until_expired(finished, NOW + timedelta(seconds=10)) == 20
    assert jobs.seconds_until_expired({**job(), "status": plan.status}, NOW) is None


@given(st.sets(st.integers(0, 60)))
def test_indexes_are_written_and_read(indexes: set[int]) -> None:
    assert jobs.completed_indexes(jobs.show_indexes(indexes)) == indexes


@pytest.mark.parametrize(("indexes", "text"), [(set(), ""), ({3}, "3"), ({0, 1}, "0,1"), ({0, 1, 2, 5}, "0-2,5")])
def test_indexes_look_as_kubernetes_writes_them(indexes: set[int], text: str) -> None:
    assert jobs.show_indexes(indexes) == text


@given(
    st.integers(1, 4), st.integers(1, 6), st.integers(0, 3),
    st.lists(st.sampled_from(["Succeeded", "Failed"]), min_size=0, max_size=30),
)  # fmt: skip
def test_however_its_pods_end_a_job_ends_as_its_limits_say(
    parallelism: int, completions: int, limit: int, outcomes: list[str]
) -> None:
    """Pods end one after the other, as drawn and well from then on; each ended one is counted and forgotten."""
    declared = job(parallelism=parallelism, completions=completions, backoffLimit=limit)
    drawn = iter(outcomes)
    now, number = NOW, 0
    running: list[dict[str, Any]] = []
    for _ in range(200):
        plan = jobs.plan(declared, running, now)
        declared = {**declared, "status": plan.status}
        assert len(running) + len(plan.create) <= parallelism
        if plan.verdict is not None:
            break
        running = [each for each in running if each not in plan.delete]
        for _ in plan.create:
            running.append(pod(number, "Running"))
            number += 1
        if running:
            ended = running.pop(0)
            ended["status"]["phase"] = next(drawn, "Succeeded")
            declared = counted(declared, [ended])
        now += timedelta(seconds=600)
    failed = declared["status"].get("failed", 0)
    assert jobs.is_finished(declared)
    if find_condition(declared["status"]["conditions"], "Complete"):
        assert declared["status"]["succeeded"] == completions
        assert failed <= limit
    else:
        assert failed == limit + 1
