"""What the pool controller says of a step that failed: nothing of an engine that was going anyway."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from apps.clusters.errors import NotFound
from apps.clusters.kube import Kube
from apps.pools import standby
from apps.pools.domain.pods import Replica, read_pod
from apps.pools.domain.standby import Step
from apps.pools.models import Pool

LIVE = {"metadata": {"name": "chat-0", "uid": "1"}, "spec": {}, "status": {"podIP": "127.0.0.1"}}
POOL = cast(Pool, SimpleNamespace(name="chat", namespace="serving", uid="p"))


def said(monkeypatch: pytest.MonkeyPatch, now: dict[str, Any] | None) -> list[str]:
    """Reasons of what is told when the engine of a pod did not answer, and the pod is `now` so (None: gone)."""

    def get(*_: object) -> dict[str, Any]:
        if now is None:
            raise NotFound("no such pod")
        return now

    monkeypatch.setattr(standby, "_put_to_sleep", lambda *_: "/sleep failed: ConnectionError")
    kube = cast(Kube, SimpleNamespace(get=get, resource=lambda kind: kind))
    pod: Replica = read_pod(LIVE)
    return [note.reason for note in standby._take(kube, POOL, pod, Step("sleep", pod.name, "it is idle"))]


def test_an_engine_that_stays_and_does_not_sleep_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(monkeypatch, LIVE) == ["SleepFailed"]


@pytest.mark.parametrize(
    "now",
    [
        None,
        {"metadata": {"name": "chat-0", "uid": "1", "deletionTimestamp": "2026-01-01T00:00:00Z"}},
        {"metadata": {"name": "chat-0", "uid": "2"}},
    ],
    ids=["gone", "terminating", "another of its name"],
)
def test_an_engine_that_was_about_to_go_is_not(monkeypatch: pytest.MonkeyPatch, now: dict[str, Any] | None) -> None:
    assert said(monkeypatch, now) == []
