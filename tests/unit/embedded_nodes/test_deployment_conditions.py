"""Conditions of a Deployment in the words and the order of the Kubernetes controller."""

from __future__ import annotations

from datetime import timedelta

from apps.embedded.controllers.domain import deployment_status as status
from tests.unit.embedded_nodes.builders import NOW, deployment, replica_set, stamp


def _progressing(reason: str, value: str = "True", seconds_ago: float = 10) -> dict:
    return {
        "type": "Progressing",
        "status": value,
        "reason": reason,
        "message": "",
        "lastUpdateTime": stamp(seconds_ago),
        "lastTransitionTime": stamp(seconds_ago),
    }


def test_available_when_all_but_max_unavailable_are() -> None:
    new = replica_set("web-1", 4, 3)
    assert status.calculate(deployment(4), new, [new], NOW)["conditions"][0]["status"] == "True"
    new = replica_set("web-1", 4, 2)
    found = status.calculate(deployment(4), new, [new], NOW)
    assert found["conditions"][0]["reason"] == "MinimumReplicasUnavailable"
    assert found["unavailableReplicas"] == 2


def test_zero_counts_are_left_out_but_terminating_replicas_is_not() -> None:
    found = status.calculate(deployment(0), None, [], NOW)
    assert set(found) == {"observedGeneration", "terminatingReplicas", "conditions"}


def test_complete_names_the_replica_set() -> None:
    wanted, new = deployment(2), replica_set("web-1", 2, 2)
    found = status.progress(wanted, new, [new], NOW)
    progressing = found["conditions"][-1]
    assert (progressing["reason"], progressing["message"]) == (
        "NewReplicaSetAvailable",
        'ReplicaSet "web-1" has successfully progressed.',
    )


def test_progress_moves_the_update_time_but_not_the_transition_time() -> None:
    wanted, new = deployment(3), replica_set("web-1", 3, 1)
    wanted["status"] = {"updatedReplicas": 1, "replicas": 1, "conditions": [_progressing("NewReplicaSetCreated")]}
    moved = next(c for c in status.progress(wanted, new, [new], NOW)["conditions"] if c["type"] == "Progressing")
    assert moved["reason"] == "ReplicaSetUpdated"
    assert moved["lastUpdateTime"] == stamp()
    assert moved["lastTransitionTime"] == stamp(10)


def test_times_out_after_the_progress_deadline_and_recovers() -> None:
    new = replica_set("web-1", 1, 0)
    wanted = deployment(1, progressDeadlineSeconds=5)
    wanted["status"] = status.calculate(wanted, new, [new], NOW) | {
        "conditions": [_progressing("ReplicaSetUpdated", seconds_ago=6)]
    }
    late = next(c for c in status.progress(wanted, new, [new], NOW)["conditions"] if c["type"] == "Progressing")
    assert (late["status"], late["reason"]) == ("False", "ProgressDeadlineExceeded")
    early = next(
        c
        for c in status.progress(wanted, new, [new], NOW - timedelta(seconds=2))["conditions"]
        if c["type"] == "Progressing"
    )
    assert early["reason"] == "ReplicaSetUpdated"

    wanted["status"]["conditions"] = [late]
    well = replica_set("web-1", 1, 1)
    assert status.progress(wanted, well, [well], NOW)["conditions"][-1]["reason"] == "NewReplicaSetAvailable"


def test_no_deadline_no_progressing_condition() -> None:
    new = replica_set("web-1", 1, 0)
    found = status.progress(deployment(1, progressDeadlineSeconds=2**31 - 1), new, [new], NOW)
    assert [c["type"] for c in found["conditions"]] == ["Available"]
    assert status.seconds_until_timeout(deployment(1, progressDeadlineSeconds=None), found, NOW) is None


def test_replica_failure_is_shown_and_goes_with_its_cause() -> None:
    new = replica_set("web-1", 1, 0)
    new["status"]["conditions"] = [
        {"type": "ReplicaFailure", "status": "True", "lastTransitionTime": stamp(), "reason": "FailedCreate"}
    ]
    wanted = deployment(1)
    wanted["status"] = status.progress(wanted, new, [new], NOW)
    assert wanted["status"]["conditions"][-1]["reason"] == "FailedCreate"
    del new["status"]["conditions"]
    assert all(c["type"] != "ReplicaFailure" for c in status.progress(wanted, new, [new], NOW)["conditions"])


def test_setting_the_same_condition_again_changes_nothing() -> None:
    held = {"conditions": [_progressing("NewReplicaSetAvailable")]}
    before = [dict(c) for c in held["conditions"]]
    status.set_condition(held, status.condition("Progressing", "True", "NewReplicaSetAvailable", "other", NOW))
    assert held["conditions"] == before
