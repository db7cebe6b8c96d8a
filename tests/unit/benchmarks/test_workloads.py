"""Plans of traffic: seeded, open loop, with shared prefixes; and recorded traces."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.benchmarks.domain import traces, workloads
from apps.benchmarks.domain.workloads import PlannedRequest, Segment, SharedPrefixes
from tests.support.shared import shared_file


def plan(seed: int = 1, **shape: int | None) -> list[PlannedRequest]:
    arrivals = list(workloads.poisson(20, 60, seed))
    return workloads.shared_prefixes(SharedPrefixes(**shape), arrivals, seed)  # type: ignore[arg-type]


def test_poisson_has_its_rate_and_its_spread() -> None:
    arrivals = list(workloads.poisson(20, 500, 3))
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    mean = sum(gaps) / len(gaps)
    assert mean == pytest.approx(1 / 20, rel=0.05)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance**0.5 == pytest.approx(mean, rel=0.05)
    assert arrivals == sorted(arrivals)
    assert arrivals[-1] < 500


def test_a_seed_is_a_workload() -> None:
    assert plan(1) == plan(1)
    assert plan(1) != plan(2)


def test_prefixes_are_shared_within_a_group_and_questions_are_not() -> None:
    requests = plan(groups=3, prefix_tokens=100, question_tokens=20)
    assert {len(request.prompt) for request in requests} == {2}
    assert len({request.prompt[0].id for request in requests}) == 3
    assert len({request.prompt[1].id for request in requests}) == len(requests)
    assert {request.prompt_tokens for request in requests} == {120}


def test_users_ask_again() -> None:
    requests = plan(groups=2, users=4)
    assert len({tuple(segment.id for segment in request.prompt) for request in requests}) == 8


def test_tokens_follow_from_the_segment() -> None:
    one = workloads.segment_tokens(Segment(7, 50))
    assert one == workloads.segment_tokens(Segment(7, 50))
    assert one != workloads.segment_tokens(Segment(8, 50))
    assert one[:20] == workloads.segment_tokens(Segment(7, 20))
    assert all(workloads.FIRST_TOKEN <= token <= workloads.LAST_TOKEN for token in one)


@given(st.floats(0.1, 100), st.integers(1, 50))
def test_faster_keeps_the_requests(scale: float, count: int) -> None:
    before = plan()[:count]
    after = workloads.faster(before, scale)
    assert [request.prompt for request in after] == [request.prompt for request in before]
    assert all(new.at == pytest.approx(old.at / scale) for old, new in zip(before, after, strict=True))


def test_window_and_clip() -> None:
    requests = [PlannedRequest(float(at), (Segment(1, 600), Segment(2, 600)), 50) for at in range(10)]
    kept = workloads.window(requests, start=2, duration=5, requests=3)
    assert [request.at for request in kept] == [0, 1, 2]
    cut, count = workloads.clipped(requests, prompt_tokens=700, output_tokens=60)
    assert count == 10
    assert cut[0].prompt == (Segment(1, 600), Segment(2, 100))
    assert cut[0].output_tokens == 50
    assert workloads.clipped(requests, prompt_tokens=2000) == (requests, 0)


def test_mooncake_blocks_become_segments() -> None:
    line = '{"timestamp": 2500, "input_length": 1100, "output_length": 7, "hash_ids": [5, 6, 9]}'
    other = '{"timestamp": 1500, "input_length": 600, "output_length": 3, "hash_ids": [5, 8]}'
    first, second = traces.read_trace([line, other])
    assert (first.at, second.at) == (0.0, 1.0)
    assert second.prompt == (Segment(5, 512), Segment(6, 512), Segment(9, 76))
    assert first.prompt == (Segment(5, 512), Segment(8, 88))
    assert second.output_tokens == 7


def test_azure_rows() -> None:
    rows = ["TIMESTAMP,ContextTokens,GeneratedTokens\r\n", "2023-11-16 18:15:46.6805900,374,44\r\n",
            "2023-11-16 18:15:50.9951690,396,109\r\n"]  # fmt: skip
    first, second = traces.read_trace(rows)
    assert (first.prompt_tokens, first.output_tokens) == (374, 44)
    assert second.at == pytest.approx(4.314579, abs=1e-5)
    assert first.prompt[0].id != second.prompt[0].id


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([], "the trace is empty"),
        (["{x"], "line 1: not JSON"),
        (['{"timestamp": 1}'], "line 1: input_length must be a number, not None"),
        (['{"timestamp": "a", "input_length": 1}'], "line 1: timestamp must be a number"),
        (['{"timestamp": 1, "input_length": -4}'], "line 1: -4 tokens is out of range"),
        (['{"timestamp": 1, "input_length": 4, "hash_ids": ["a"]}'], "hash_ids must be a list of numbers"),
        (["TIMESTAMP,Tokens"], "the header lacks ContextTokens, GeneratedTokens"),
        (["TIMESTAMP,ContextTokens,GeneratedTokens", "yesterday,1,2"], "line 2: Invalid isoformat"),
    ],
)
def test_bad_traces_are_refused_by_line(lines: list[str], sentence: str) -> None:
    with pytest.raises(traces.TraceError, match=sentence):
        traces.read_trace(lines)


@pytest.mark.parametrize(
    ("name", "requests", "span"),
    [
        ("mooncake/mooncake_trace_1000.jsonl", 1000, 177),
        ("azure2023/AzureLLMInferenceTrace_conv.csv", 19_366, 3502),
        ("aibrix/8min_up_and_down_lengths.jsonl", 2026, 456),
    ],
)
def test_published_traces(name: str, requests: int, span: float) -> None:
    with shared_file(f"traces/{name}").open() as lines:
        found = traces.read_trace(lines)
    assert len(found) == requests
    assert found[-1].at == pytest.approx(span, abs=6)


def test_arrivals_follow_a_curve_and_are_the_same_for_the_same_seed():
    curve = [(0.0, 0.0), (100.0, 0.0), (101.0, 4.0), (200.0, 4.0), (300.0, 12.0), (301.0, 0.0), (400.0, 0.0)]
    found = list(workloads.varying(curve, seed=3))
    assert found == list(workloads.varying(curve, seed=3))
    assert min(found) >= 100 and max(found) <= 301
    flat = sum(101 <= at < 200 for at in found)
    ramp = sum(200 <= at < 300 for at in found)
    assert flat == pytest.approx(4 * 99, rel=0.2)
    assert ramp == pytest.approx(8 * 100, rel=0.15)
    assert list(workloads.varying([(0.0, 0.0), (9.0, 0.0)], seed=1)) == []
