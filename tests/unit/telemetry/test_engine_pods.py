"""Whom to scrape and how replicas are counted, from plain pod objects."""

from __future__ import annotations

import pytest

from apps.telemetry.domain.pods import is_ready, metrics_url, replica_states


def pod(
    *, ready: bool = True, leaving: bool = False, phase: str = "Running", ip: str | None = "10.0.0.7", ports=None
) -> dict:
    metadata = {"name": "p", "uid": "u", **({"deletionTimestamp": "2026-11-23T20:00:00Z"} if leaving else {})}
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    containers = [{"name": "engine", "ports": ports}] if ports is not None else [{"name": "engine"}]
    return {
        "metadata": metadata,
        "spec": {"containers": containers},
        "status": {"phase": phase, "conditions": conditions, **({"podIP": ip} if ip else {})},
    }


@pytest.mark.parametrize(
    ("ports", "port"),
    [
        (None, 8000),
        ([], 8000),
        ([{"containerPort": 9000}], 9000),
        ([{"name": "grpc", "containerPort": 50051}, {"name": "http", "containerPort": 8200}], 8200),
        ([{"name": "kv", "containerPort": 5557}, {"name": "metrics", "containerPort": 9090}], 9090),
    ],
)
def test_the_metrics_port_is_found_by_name(ports, port: int) -> None:
    assert metrics_url(pod(ports=ports)) == f"http://10.0.0.7:{port}/metrics"


def test_addresses() -> None:
    assert metrics_url(pod(ip=None)) is None
    assert metrics_url(pod(ip="fd00::7")) == "http://[fd00::7]:8000/metrics"
    assert metrics_url({"metadata": {}}) is None


def test_states() -> None:
    pods = [pod(), pod(ready=False), pod(leaving=True), pod(ready=False, phase="Failed")]
    assert replica_states(pods, 3) == {"desired": 3, "ready": 1, "starting": 1, "terminating": 1}
    assert "desired" not in replica_states(pods, None)
    assert replica_states([], 2) == {"desired": 2, "ready": 0, "starting": 0, "terminating": 0}


def test_a_pod_without_status_is_not_ready() -> None:
    assert not is_ready({"metadata": {}})
