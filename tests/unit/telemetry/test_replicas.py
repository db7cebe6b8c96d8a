"""A replica that is not as its peers is told, and no other."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.replicas import WINDOW, Replica, Report, Stretch, compare, moved_on

AT = 1_790_000_040.0


def replica(name: str, *, variant: str = "v", slow: float = 1.0, share: float = 1.0, **changes) -> Replica:
    draw = random.Random(name)
    requests = round(1200 * share * draw.uniform(0.9, 1.1))
    counts = {"requests": requests, "errors": 0.0, "prompt_tokens": requests * 900.0, "cached_tokens": requests * 600.0}
    seen = {(0.1 * slow, 0.2 * slow): requests * 0.9, (0.2 * slow, 0.3 * slow): requests * 0.1}
    values = {
        "read_at": AT,
        "stretches": (Stretch(AT - 60, 300.0, counts, {"ttft": Histogram(seen)}),),
        "gauges": {"running": 20.0 * share, "waiting": 0.0, "kv_mean": 0.4},
        **changes,
    }
    return Replica(name, variant, **values)


def by_name(replicas: list[Replica]) -> dict[str, Report]:
    return {report.replica.name: report for report in compare(replicas)}


def peers(count: int, variant: str = "v") -> list[Replica]:
    return [replica(f"chat-{variant}-{n}", variant=variant) for n in range(count)]


def test_a_slow_replica_is_told_with_its_peers() -> None:
    reports = by_name([*peers(3), replica("chat-slow", slow=8.0)])
    slow = reports["chat-slow"]
    assert slow.state == "outlier"
    figure = slow.figures["ttft_p95"]
    assert (figure.outlier, figure.value, figure.peers) == (True, pytest.approx(2.0), pytest.approx(0.25))
    assert slow.to_json()["figures"]["ttft_p95"]["ratio"] == pytest.approx(8.0)
    assert slow.findings == ("Time to first token (p95) is 2 s; its 3 peers have 250 ms.",)
    assert {report.state for name, report in reports.items() if name != "chat-slow"} == {"ok"}


def test_outliers_come_first() -> None:
    silent = replica("chat-a", reason="chat-a did not give its metrics within 3 s.")
    reports = compare([*peers(3), silent, replica("chat-z", slow=8.0)])
    assert [report.replica.name for report in reports[:2]] == ["chat-z", "chat-a"]
    # what it said before it fell silent is not held against anybody
    assert reports[1].figures["ttft_p95"].value is None


def test_one_that_gets_no_requests_among_busy_ones() -> None:
    idle = replica("chat-idle", share=0.0, gauges={"running": 0.0})
    report = by_name([*peers(3), idle])["chat-idle"]
    assert report.state == "outlier"
    assert report.findings[0].startswith("Requests finished is 0 requests/s; its 3 peers have")
    assert {one.state for one in compare([idle, replica("chat-idle-2", share=0.0, gauges={})])} == {"no_traffic"}


def test_a_faster_replica_is_none() -> None:
    assert by_name([*peers(3), replica("chat-fast", slow=0.1)])["chat-fast"].state == "ok"


def test_variants_are_compared_with_themselves() -> None:
    slow = [replica(f"chat-old-{n}", variant="old", slow=8.0) for n in range(3)]
    assert {report.state for report in compare([*peers(3), *slow])} == {"ok"}


def test_two_replicas_cannot_tell_which_of_them_it_is() -> None:
    assert {report.state for report in compare([*peers(1), replica("chat-slow", slow=8.0)])} == {"alone"}


def test_small_differences_of_small_numbers_are_none() -> None:
    waiting = [
        replica(f"chat-{n}", gauges={"running": 1.0, "waiting": float(n == 0) * 3, "kv_mean": 0.1}) for n in range(4)
    ]
    assert {report.state for report in compare(waiting)} == {"ok"}


@given(st.integers(3, 30), st.randoms(use_true_random=False))
def test_replicas_that_differ_by_chance_are_no_outliers(count: int, draw: random.Random) -> None:
    replicas = [replica(f"chat-{draw.random()}", slow=draw.uniform(0.95, 1.05)) for _ in range(count)]
    assert {report.state for report in compare(replicas)} == {"ok"}


def test_the_window_moves_on() -> None:
    change = Delta(10.0, {"requests": 5.0, "flops": 1.0}, {"ttft": Histogram({(0.0, 1.0): 5}), "queue": Histogram()})
    stretches: tuple[Stretch, ...] = ()
    for tick in range(60):
        stretches = moved_on(stretches, AT + 10 * tick, change)
    assert sum(stretch.seconds for stretch in stretches) <= WINDOW + 60
    assert sum(stretch.counts["requests"] for stretch in stretches) == pytest.approx(
        0.5 * sum(stretch.seconds for stretch in stretches)
    )
    assert set(stretches[0].counts) == {"requests"}
    assert set(stretches[0].histograms) == {"ttft"}
    assert tuple(Stretch.from_json(stretch.to_json()) for stretch in stretches) == stretches
    # nobody answers any more: what it did grows old
    assert moved_on(stretches, AT + 600 + WINDOW + 60, None) == ()
