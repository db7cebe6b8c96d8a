"""Who sleeps and what is done next: properties over any set of engines, and the guard before their endpoints."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.pools.data.lamplight_guard import Guard
from apps.pools.domain.guarded import with_sleep
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.paths import render
from apps.pools.domain.standby import EnginePod, Page, condition, page_of, steps
from apps.pools.domain.validation import Shape, faults_of
from tests.unit.pools import rendering

PODS = st.lists(
    st.builds(
        EnginePod,
        name=st.uuids().map(str),
        routed=st.booleans(),
        left=st.none() | st.floats(0, 200),
        state=st.sampled_from(["awake", "asleep", "unknown"]),
        busy=st.none() | st.integers(0, 3),
    ),
    max_size=6,
    unique_by=lambda pod: pod.name,
)


@given(PODS, st.integers(0, 4), st.integers(0, 4))
def test_nothing_sleeps_that_is_routed_busy_or_unread(pods: list[EnginePod], awake: int, asleep: int) -> None:
    named = {pod.name: pod for pod in pods}
    todo = steps(pods, awake=awake, asleep=asleep, patience=30)
    assert len({step.pod for step in todo}) == len(todo), "one step a pod"
    for step in todo:
        pod = named[step.pod]
        if step.verb == "sleep":
            assert not pod.routed
            assert pod.state == "awake"
            assert pod.busy is not None
            assert step.abort == (pod.busy > 0)
            assert pod.busy == 0 or (pod.left or 0) > 30
        if step.verb == "route":
            assert pod.state == "awake", "requests are never sent to a sleeper"
    resting = [step for step in todo if step.verb in ("unroute", "sleep")]
    assert len(resting) <= min(asleep, max(0, len(pods) - awake)), "those that are to serve come first"


@given(st.integers(0, 4), st.integers(0, 4), st.data())
def test_engines_that_do_as_told_end_as_wanted(awake: int, asleep: int, data: st.DataObject) -> None:
    state = {
        f"pod-{i}": [data.draw(st.booleans()), data.draw(st.sampled_from(["awake", "asleep"]))]
        for i in range(awake + asleep)
    }
    for _ in range(6):
        pods = [EnginePod(name, routed, None if routed else 1.0, now, 0) for name, (routed, now) in state.items()]
        for step in steps(pods, awake=awake, asleep=asleep, patience=30):
            if step.verb in ("sleep", "wake"):
                state[step.pod][1] = "asleep" if step.verb == "sleep" else "awake"
            if step.verb in ("unroute", "route", "wake"):
                state[step.pod][0] = step.verb != "unroute"
    assert sum(now == "asleep" for _, now in state.values()) == asleep
    assert sum(routed and now == "awake" for routed, now in state.values()) == awake


def test_the_state_is_the_engines_own_word_and_all_ranks_must_agree() -> None:
    def sample(awake: float, rank: str) -> tuple[str, dict[str, str], float]:
        return ("vllm:engine_sleep_state", {"sleep_state": "awake", "engine": rank}, awake)

    idle = [("vllm:num_requests_running", {}, 0.0), ("vllm:num_requests_waiting", {}, 2.0)]
    assert page_of([sample(1, "0"), sample(1, "1"), *idle]) == Page("awake", 2)
    assert page_of([sample(1, "0"), sample(0, "1"), *idle]) == Page("asleep", 2)
    assert page_of([]) == Page("unknown")


def test_the_condition_says_unknown_for_an_engine_that_does_not_tell() -> None:
    pods = [EnginePod("a", False, 3.0, "unknown", None)]
    said = condition(pods, awake=0, asleep=1, generation=2)
    assert (said.status, said.reason) == ("Unknown", "StateUnread")


def answered(path: str, token: bytes | None, digest: str) -> int | None:
    """The guard's status; None where it let the request through."""
    passed, sent = [], []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        passed.append(scope)

    async def send(message: Any) -> None:
        sent.append(message)

    guard = Guard(inside)
    guard.digest = digest
    headers = [(b"x-lamplight-token", token)] if token is not None else []
    asyncio.run(guard({"type": "http", "path": path, "headers": headers}, None, send))  # type: ignore[arg-type]
    assert bool(passed) != bool(sent)
    return None if passed else int(sent[0]["status"])


DIGEST = hashlib.sha256(b"the token").hexdigest()


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/metrics", "/health", "/tokenize", "/v1/models"])
def test_what_clients_need_is_open(path: str) -> None:
    assert answered(path, None, DIGEST) is None


@given(st.text(max_size=30).map(lambda text: "/" + text), st.none() | st.binary(max_size=70))
def test_anything_else_needs_the_token(path: str, token: bytes | None) -> None:
    known = path.startswith(("/v1/", "/v2/", "/cohere/", "/inference/v1/generate"))
    if not known and path not in ("/health", "/ping", "/version", "/metrics", "/metrics/", "/load"):
        assert answered(path, token, DIGEST) == 403
        assert answered(path, b"the token", DIGEST) is None
        assert answered(path, b"the token", "") == 403, "without a digest nothing is trusted"


@pytest.mark.parametrize("path", ["/sleep", "/wake_up", "/is_sleeping", "/collective_rpc", "//sleep", "/v1", "/Sleep"])
def test_development_endpoints_are_closed(path: str) -> None:
    assert answered(path, None, DIGEST) == 403


def test_a_pool_that_may_sleep_is_rendered_with_sleep_mode_and_its_guard() -> None:
    spec = rendering.spec_of(
        variants=[rendering.variant(replicas={"min": 0, "max": 2})],
        autoscaling={"mode": "active", "idle": "standby"},
    )
    inputs = replace(rendering.inputs_of(spec), guard=DIGEST)
    objects = rendering.by_name(render(rendering.POOL, spec, rendering.MODEL, inputs, dialect("current")))
    assert "class Guard" in objects["ConfigMap/chat-guard"]["data"]["lamplight_guard.py"]
    (engine,) = objects["Deployment/chat-h200"]["spec"]["template"]["spec"]["containers"]
    assert engine["args"][-2:] == ["--enable-sleep-mode", "--middleware=lamplight_guard.Guard"]
    assert {"name": "LAMPLIGHT_GUARD", "value": DIGEST} in engine["env"]
    plain = rendering.spec_of(autoscaling={"mode": "active", "idle": "zero"})
    assert with_sleep((), rendering.POOL, plain, inputs) == ()
    taken = rendering.spec_of(
        engine={"env": {"PYTHONPATH": "/mine"}}, autoscaling={"mode": "active", "idle": "standby"}
    )
    with pytest.raises(PlanRefused, match="PYTHONPATH"):
        with_sleep((), rendering.POOL, taken, inputs)


def test_a_sleeper_needs_room_for_its_weights() -> None:
    def faults(memory: str) -> list[str]:
        spec = rendering.spec_of(
            variants=[rendering.variant(replicas={"min": 0, "max": 1}, resources={"memory": memory})],
            autoscaling={"mode": "active", "idle": "standby"},
        )
        return [fault.detail for fault in faults_of("chat", spec, Shape(weight_bytes=15 * 2**30), None)]

    assert faults("64Gi") == []
    (told,) = faults("16Gi")
    assert "host memory" in told
    assert "23Gi or more, not 16Gi" in told
