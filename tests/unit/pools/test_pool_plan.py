"""Comparing what is rendered with what is live; health from deployments and pods: the pure parts."""

from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.pools.domain.health import Health, Sync, conditions_of, health_of, variant_state
from apps.pools.domain.paths import render
from apps.pools.domain.plan import differences, key_of, must_hand_over, plan, removal_stage, without_replicas
from apps.pools.domain.pods import looked_at_due, read_pod
from tests.unit.pools.rendering import EVERYTHING, MODEL, POOL, inputs_of, spec_of

OBJECTS = render(POOL, spec_of(), MODEL, inputs_of(spec_of(), EVERYTHING), dialect("current"))


def lived(manifest: dict[str, Any]) -> dict[str, Any]:
    """As a server returns it: with defaults, fields of others and quantities in its own spelling."""
    obj = copy.deepcopy(manifest)
    obj["metadata"] |= {"uid": "u", "resourceVersion": "7", "annotations": {"deployment.kubernetes.io/revision": "1"}}
    obj["metadata"]["labels"]["somebody/else"] = "yes"
    obj["status"] = {"x": 1}
    if obj["kind"] == "Deployment":
        obj["spec"]["revisionHistoryLimit"] = 10
        pod = obj["spec"]["template"]["spec"]
        pod["dnsPolicy"] = "ClusterFirst"
        pod["containers"].append({"name": "injected", "image": "mesh:1"})
        pod["containers"][0].setdefault("env", []).insert(0, {"name": "INJECTED", "value": "1"})
        requests = pod["containers"][0]["resources"]["requests"]
        requests["memory"] = {"64Gi": "65536Mi"}.get(requests["memory"], requests["memory"])
    return obj


def test_what_is_there_as_rendered_needs_no_write() -> None:
    todo = plan(OBJECTS, [lived(obj) for obj in OBJECTS])
    assert todo.writes == ()
    assert todo.orphans == ()


def test_replicas_and_generation_alone_are_no_reason_to_write() -> None:
    live = [lived(obj) for obj in OBJECTS]
    for obj in live:
        obj["metadata"]["labels"]["lamplight.dev/generation"] = "1"
        if obj["kind"] == "Deployment":
            obj["spec"]["replicas"] = 17
    assert plan(OBJECTS, live).writes == ()


def test_a_key_that_somebody_added_to_a_selector_is_seen() -> None:
    service = next(o for o in OBJECTS if o["kind"] == "Service" and o["metadata"]["name"] == "chat")
    live = lived(service)
    live["spec"]["selector"] = {**service["spec"]["selector"], "app": "theirs"}
    assert list(differences(service, live)) == ["/spec/selector/app"]


@pytest.mark.parametrize(("rendered", "missed"), [({}, []), ([], []), ("", []), (0, ["/spec/x"]), (False, ["/spec/x"])])
def test_what_a_server_drops_since_it_is_empty_is_no_reason_to_write(rendered: Any, missed: list[str]) -> None:
    service = next(o for o in OBJECTS if o["kind"] == "Service" and o["metadata"]["name"] == "chat")
    assert list(differences({**service, "spec": {**service["spec"], "x": rendered}}, lived(service))) == missed


@given(st.sets(st.integers(0, len(OBJECTS) - 1)))
def test_exactly_the_missing_objects_are_created(missing: set[int]) -> None:
    live = [lived(obj) for i, obj in enumerate(OBJECTS) if i not in missing]
    todo = plan(OBJECTS, live)
    assert [write.why for write in todo.writes] == ["create"] * len(missing)
    assert {key_of(write.manifest) for write in todo.writes} == {key_of(OBJECTS[i]) for i in missing}


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict):
        return [leaf for name, item in value.items() for leaf in leaves(item, (*at, name))]
    if isinstance(value, list):
        return [leaf for i, item in enumerate(value) for leaf in leaves(item, (*at, i))]
    return [at]


@given(st.data())
def test_any_field_that_we_render_and_somebody_changed_is_seen(data: st.DataObject) -> None:
    manifest = without_replicas(data.draw(st.sampled_from(OBJECTS)))
    places = [p for p in leaves(manifest) if p[:2] not in {("metadata", "name"), ("metadata", "namespace")}]
    places = [p for p in places if p[0] not in ("apiVersion", "kind") and p[-1] != "lamplight.dev/generation"]
    place = data.draw(st.sampled_from(places))
    live = lived(manifest)
    # the first container and its env are not where `lived` left them by index, so change a plain copy
    live = copy.deepcopy(manifest)
    here = live
    for part in place[:-1]:
        here = here[part]
    here[place[-1]] = "somebody's"
    assert list(differences(manifest, live)), place
    assert len(plan([manifest], [live]).writes) == 1


def test_what_is_no_longer_rendered_is_an_orphan_once() -> None:
    extra = lived({**OBJECTS[0], "metadata": {**OBJECTS[0]["metadata"], "name": "old"}})
    assert plan(OBJECTS, [*map(lived, OBJECTS), extra]).orphans == (extra,)
    extra["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert plan(OBJECTS, [*map(lived, OBJECTS), extra]).orphans == ()


def managed(*entries: tuple[str, str, str]) -> dict[str, Any]:
    fields = {"f:spec": {"f:replicas": {}}}
    return {
        "metadata": {
            "managedFields": [
                {"manager": manager, "operation": operation, "subresource": sub, "fieldsV1": fields}
                for manager, operation, sub in entries
            ]
        }
    }


def test_replicas_are_handed_over_as_long_as_apply_owns_them() -> None:
    assert must_hand_over(managed(("lamplight", "Apply", "")))
    assert must_hand_over(managed(("lamplight", "Apply", ""), ("lamplight-scaler", "Apply", "")))
    assert not must_hand_over(managed(("lamplight-scaler", "Apply", "")))
    assert not must_hand_over(managed(("lamplight-scaler", "Update", "scale"), ("kubectl", "Update", "")))
    assert not must_hand_over({"metadata": {}})


def test_removal_goes_from_the_outside_in() -> None:
    stages = {f"{o['kind']}/{o['metadata']['name']}": removal_stage(o, "endpoint-picker") for o in OBJECTS}
    assert stages["InferencePool/chat"] == stages["Deployment/chat-epp"] == 0
    assert stages["Deployment/chat-h200"] == 1
    assert stages["Service/chat"] == stages["PodDisruptionBudget/chat-h200"] == stages["Role/chat-epp"] == 2


def pod(name: str = "p", **status: Any) -> Any:
    return read_pod(
        {
            "metadata": {
                "name": name,
                "labels": {"lamplight.dev/variant": "h200", "app.kubernetes.io/component": "engine"},
            },
            "spec": {"nodeName": "gpu-a"},
            "status": {"phase": "Pending", **status},
        }
    )


def labelled(pod: dict[str, Any]) -> dict[str, Any]:
    labels = {"lamplight.dev/variant": "h200", "app.kubernetes.io/component": "engine"}
    return {"status": {"phase": "Pending"}, **pod, "metadata": {"name": "p", "labels": labels, **pod["metadata"]}}


def waiting(reason: str, text: str = "", **last: Any) -> dict[str, Any]:
    state = {"name": "vllm", "restartCount": 3, "state": {"waiting": {"reason": reason, "message": text}}}
    return {"containerStatuses": [{**state, "lastState": {"terminated": last} if last else {}}]}


READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (
            {
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 n"}
                ]
            },
            "Unschedulable",
            "0/3 n",
        ),
        (waiting("ImagePullBackOff", "Back-off pulling image"), "ImagePullBackOff", "Back-off pulling"),
        (waiting("CrashLoopBackOff", "back-off 10s", exitCode=2, message="bad flag"), "CrashLoopBackOff", "bad flag"),
        (waiting("ContainerCreating"), "", ""),
        (
            {"containerStatuses": [{"name": "v", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]},
            "OOMKilled",
            "137",
        ),
        ({"reason": "Evicted", "message": "low on memory", "phase": "Failed"}, "Evicted", "low on memory"),
        (READY, "", ""),
    ],
)
def test_a_pod_says_why_it_is_not_ready_in_the_cluster_s_words(status: Any, reason: str, words: str) -> None:
    read = pod(**status)
    assert read.reason == reason
    assert words in read.message


def deployment(desired: int, *, updated: int, available: int, total: int | None = None, seen: bool = True) -> Any:
    return {
        "metadata": {"generation": 3},
        "spec": {"replicas": desired},
        "status": {
            "observedGeneration": 3 if seen else 2,
            "replicas": desired if total is None else total,
            "updatedReplicas": updated,
            "availableReplicas": available,
        },
    }


NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def health(live: Any, pods: list[Any], *, desired: int = 2, picker: Any = None, now: datetime = NOW) -> Health:
    state = variant_state("h200", "nvidia-h200", 1, desired, live, pods)
    return health_of([state], {"h200": live} if live else {}, picker, pods, now)


@pytest.mark.parametrize(
    ("desired", "asleep", "reason", "sentence"),
    [
        (1, 1, "AllReplicasAsleep", "the one replica is asleep; the first request wakes one"),
        (2, 2, "AllReplicasAsleep", "all 2 replicas are asleep; the first request wakes one"),
        (2, 1, "AllReplicasReady", "all 2 replicas are ready; 1 of them asleep"),
        (1, 0, "AllReplicasReady", "the one replica is ready"),
    ],
)
def test_replicas_that_sleep_are_not_said_to_serve(desired: int, asleep: int, reason: str, sentence: str) -> None:
    live, pods = (
        deployment(desired, updated=desired, available=desired),
        [pod(f"p{n}", **READY) for n in range(desired)],
    )
    state = variant_state("h200", "nvidia-h200", 1, desired, live, pods, asleep=asleep)
    found = health_of([state], {"h200": live}, None, pods, NOW)
    assert (found.state, found.reason, found.message) == ("Healthy", reason, sentence)
    assert state.to_json().get("asleep", 0) == asleep


def test_a_canary_counts_among_the_desired_replicas_as_it_does_among_the_ready_ones() -> None:
    ready, starting = pod("a", **READY), pod("b", phase="Running")
    live = deployment(1, updated=1, available=1)

    def with_canary(*pods: Any) -> tuple[Health, dict[str, Any]]:
        state = variant_state("h200", "nvidia-h200", 1, 1, live, pods, on_trial=1)
        return health_of([state], {"h200": live}, None, pods, NOW), state.to_json()

    both, row = with_canary(ready, ready)
    assert (row["desired"], row["ready"], row["onTrial"]) == (2, 2, 1)
    assert (both.state, both.message) == ("Healthy", "all 2 replicas are ready")
    one, row = with_canary(ready, starting)
    assert (row["desired"], row["ready"], row["starting"]) == (2, 1, 1)
    assert one.state == "Healthy", "the replicas that are declared serve"
    assert one.message == "1 of 2 replicas ready; the one on trial is on its way"


def test_health_follows_what_deployments_and_pods_say() -> None:
    ready, starting = pod("a", **READY), pod("b", phase="Running")
    assert health(None, []).state == "Missing"
    assert health(deployment(2, updated=2, available=2), [ready, ready]).state == "Healthy"
    assert health(deployment(2, updated=2, available=1), [ready, starting]).state == "Progressing"
    assert health(deployment(2, updated=2, available=2, seen=False), [ready, ready]).state == "Progressing"
    assert health(deployment(2, updated=1, available=2, total=3), [ready] * 3).reason == "RollingOut"
    assert health(deployment(0, updated=0, available=0), [], desired=0).state == "Suspended"
    picker = deployment(1, updated=1, available=0)
    assert health(deployment(2, updated=2, available=2), [ready] * 2, picker=picker).reason == "EndpointPickerStarting"


@pytest.mark.parametrize(
    ("live", "present", "reason"),
    [
        # what pods say comes before what their Deployment says of them
        (deployment(2, updated=2, available=1), 2, "ReplicasStarting"),
        (deployment(2, updated=2, available=2, seen=False), 2, "ReplicasStarting"),
        (deployment(2, updated=2, available=2, total=3), 3, "ReplicasStopping"),
        (deployment(2, updated=2, available=3, total=3, seen=False), 3, "ReplicasStopping"),
    ],
)
def test_replicas_are_said_to_leave_only_where_there_are_more_than_wanted(live: Any, present: int, reason: str) -> None:
    found = health(live, [pod(f"p{number}", **READY) for number in range(present)])
    assert (found.state, found.reason) == ("Progressing", reason)


def test_a_pod_that_needs_a_person_makes_the_pool_degraded_with_its_sentence() -> None:
    bad = pod("b", **waiting("CrashLoopBackOff", "back-off", exitCode=1))
    found = health(deployment(2, updated=2, available=1), [pod("a", **READY), bad])
    assert (found.state, found.reason, found.blamed) == ("Degraded", "CrashLoopBackOff", bad)
    assert "1 of 2 replicas ready" in found.message
    assert "exit code 1" in found.message


UNTOLD = {"metadata": {"creationTimestamp": "2026-03-01T11:59:40Z"}, "spec": {"schedulerName": "kai-scheduler"}}


def test_a_pod_at_which_no_scheduler_has_looked_is_named_after_a_while_and_not_before() -> None:
    lost = read_pod(labelled(UNTOLD))
    live = deployment(2, updated=2, available=0)
    early = health(live, [lost], now=NOW - timedelta(seconds=10))
    assert (early.reason, looked_at_due([lost], NOW - timedelta(seconds=10))) == ("ReplicasStarting", 5.0)
    found = health(live, [lost])
    assert (found.state, found.reason, found.blamed and found.blamed.name) == ("Progressing", "NoScheduler", "p")
    assert found.message == (
        "0 of 2 replicas ready; replica p: NoScheduler: no scheduler has looked at it since it was made at "
        "2026-03-01 11:59:40 UTC; its schedulerName is kai-scheduler"
    )
    assert looked_at_due([lost], NOW) is None, "what is said already need not be looked at again"
    live["status"]["conditions"] = [{"type": "Progressing", "status": "False", "message": "has timed out"}]
    late = health(live, [lost])
    assert (late.state, late.reason) == ("Degraded", "ProgressDeadlineExceeded")
    assert "no scheduler has looked at it" in late.message


@pytest.mark.parametrize(
    "told",
    [
        {"spec": {"nodeName": "gpu-a"}},
        {"status": {"phase": "Running"}},
        {"metadata": {"creationTimestamp": "2026-03-01T10:00:00Z", "deletionTimestamp": "2026-03-01T11:00:00Z"}},
        {"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "True"}]}},
        {"metadata": {}},
    ],
)
def test_a_pod_that_a_scheduler_has_seen_or_that_goes_waits_for_none(told: dict[str, Any]) -> None:
    pod = read_pod(labelled({**UNTOLD, **told}))
    assert health(deployment(2, updated=2, available=0), [pod]).reason == "ReplicasStarting"
    assert looked_at_due([pod], NOW - timedelta(hours=1)) is None


def test_a_pod_behind_scheduling_gates_names_them() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "is blocked"}
    gates = {"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]}
    gated = read_pod(labelled({**UNTOLD, "spec": gates, "status": {"phase": "Pending", "conditions": [scheduled]}}))
    found = health(deployment(2, updated=2, available=0), [gated])
    assert (found.state, found.reason) == ("Progressing", "SchedulingGated")
    assert found.message.endswith("replica p: SchedulingGated: is blocked (kueue.x-k8s.io/admission)")


def test_no_room_is_progress_until_the_deadline_has_passed() -> None:
    scheduled = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient gpu"}
    lost = pod("b", conditions=[scheduled])
    live = deployment(2, updated=2, available=1)
    assert health(live, [lost]).state == "Progressing"
    assert "Insufficient gpu" in health(live, [lost]).message
    live["status"]["conditions"] = [{"type": "Progressing", "status": "False", "message": "has timed out"}]
    late = health(live, [lost])
    assert (late.state, late.reason) == ("Degraded", "ProgressDeadlineExceeded")
    assert "Insufficient gpu" in late.message


@given(
    sync=st.sampled_from(["Synced", "OutOfSync", "Unknown"]),
    state=st.sampled_from(["Healthy", "Progressing", "Degraded", "Suspended", "Missing", "Unknown"]),
)
def test_ready_is_true_only_when_synced_and_serving(sync: str, state: str) -> None:
    conditions = {c.type: c for c in conditions_of(Sync(sync, "R", "m"), Health(state, "H", "n"), 5)}
    assert (conditions["Ready"].status == "True") == (sync == "Synced" and state in ("Healthy", "Suspended"))
    assert all(c.observed_generation == 5 for c in conditions.values())
    if "Unknown" in (sync, state) and sync != "OutOfSync":
        assert conditions["Ready"].status == "Unknown"
