"""One query for all pods, and its answer by pod; where a Prometheus may be."""

from __future__ import annotations

import math
import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from apps.clusters.domain.spec import PrometheusSpec
from apps.telemetry import prometheus
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.engine import EXPLANATORY, FAMILIES, read_engine
from apps.telemetry.domain.exposition import parse
from apps.telemetry.domain.gathering import Gathering, samples_of
from apps.telemetry.domain.layouts import Memory
from apps.telemetry.domain.promql import explained_between, explaining_query, queries_of, query_of
from apps.telemetry.domain.vectors import columns
from apps.telemetry.scrape import Target
from tests.support.shared import shared_file

PODS = {("serving", "chat-v-0"): "engine", ("serving", "chat-epp"): "gateway"}


def vector(page: str, *, at: float = 1000.0, sampled: float | None = 993.0, **target: str) -> list[dict[str, Any]]:
    """What Prometheus would answer after scraping a page."""
    rows = [
        {"metric": {"__name__": s.name, **s.labels, **target}, "value": [at, repr(s.value).replace("inf", "+Inf")]}
        for s in parse(page)
    ]
    if sampled is not None:
        rows.append({"metric": {**target, "lamplight": "sampled_at"}, "value": [at, str(sampled)]})
    return rows


def of_pod(name: str, job: str = "a") -> dict[str, str]:
    return {"namespace": "serving", "pod": name, "job": job, "instance": "10.0.0.1:8000", "container": "x"}


def test_a_page_is_the_same_through_prometheus() -> None:
    page = shared_file("reference/vllm-metrics-0.33.txt").read_text()
    sample = samples_of(vector(page, **of_pod("chat-v-0")), PODS)[("serving", "chat-v-0")]
    assert sample.age == 7
    assert sample.reading == read_engine(page)


def test_a_pod_that_two_jobs_scrape_is_taken_from_the_newer_scrape() -> None:
    old, new = "vllm:prompt_tokens_total 5\n", "vllm:prompt_tokens_total 7\n"
    result = vector(old, sampled=950, **of_pod("chat-v-0", "a")) + vector(new, sampled=990, **of_pod("chat-v-0", "b"))
    sample = samples_of(result, PODS)[("serving", "chat-v-0")]
    assert sample.reading.counters == {"prompt_tokens": 7}
    assert sample.age == 10


def test_a_sidecar_of_the_pod_is_not_the_engine() -> None:
    engine = vector("vllm:prompt_tokens_total 5\n", sampled=990, **of_pod("chat-v-0", "a"))
    sidecar = vector("process_start_time_seconds 3\n", sampled=999, **of_pod("chat-v-0", "b"))
    assert samples_of(engine + sidecar, PODS)[("serving", "chat-v-0")].reading.counters == {"prompt_tokens": 5}


def test_pods_of_others_are_left_out_and_nan_is_unknown() -> None:
    rows = vector("vllm:prompt_tokens_total 5\n", **of_pod("other-0"))
    rows += [{"metric": {"__name__": "llm_d_epp_request_total", **of_pod("chat-epp")}, "value": [1, "NaN"]}]
    found = samples_of(rows, PODS)
    assert list(found) == [("serving", "chat-epp")]
    assert found[("serving", "chat-epp")].reading.unreadable == {"gateway.requests"}


def test_the_query_names_every_metric_and_only_these_namespaces() -> None:
    query = query_of(["b", "a", "b"], matchers={"cluster": 'x"y'})
    assert query.count("{") == 2
    assert 'namespace=~"a|b",pod!="",cluster="x\\"y"' in query
    assert "vllm:time_to_first_token_seconds_bucket" in query
    assert "llm_d_epp_request_total" in query


@pytest.mark.parametrize(
    "url", ["ftp://x", "file:///etc/passwd", "http://", "http://u:p@x", "http://x?y=1", "gopher://x", "http://x#y"]
)
def test_urls_that_no_cluster_may_declare(url: str) -> None:
    with pytest.raises(ValidationError):
        PrometheusSpec(url=url)


def test_a_url_that_is_none_is_not_asked() -> None:
    with pytest.raises(prometheus.PrometheusError, match="is not a URL"):
        prometheus.ask(PrometheusSpec(url="http://x:99999"), [Target("k", "p", "v", "u", namespace="n")])


class Answers:
    """A server that answers as the test says."""

    def __init__(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.seen: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.seen.append((self.path.split("?")[0], self.headers.get("Authorization")))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST

            def log_message(self, *args: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"


TARGET = Target("k", "chat-v-0", "v", "", namespace="serving")


def _asked(spec: PrometheusSpec, seconds: float = 5.0) -> str:
    with pytest.raises(prometheus.PrometheusError) as raised:
        prometheus.ask(spec, [TARGET], seconds=seconds)
    return str(raised.value)


def test_a_redirect_is_not_followed() -> None:
    inner = Answers(200, b'{"data":{"result":[]}}')
    outer = Answers(302, b"", {"Location": inner.url})
    assert "redirect" in _asked(PrometheusSpec(url=outer.url))
    assert inner.seen == []


def test_the_token_is_sent_and_never_shown(tmp_path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    server = Answers(403, b"s3cret? no")
    spec = PrometheusSpec.model_validate({"url": server.url, "credentials": {"bearer_token_file": str(secret)}})
    assert "refused the query" in _asked(spec)
    assert server.seen[0][1] == "Bearer s3cret"
    missing = PrometheusSpec.model_validate({"url": server.url, "credentials": {"bearer_token_file": "/nonexistent/t"}})
    assert "No such file" in _asked(missing)


def test_a_name_that_leads_to_metadata_is_refused_when_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Answers(200, b'{"data":{"result":[]}}')
    assert prometheus.ask(PrometheusSpec(url=server.url), [TARGET]) == {}
    monkeypatch.setattr(socket.socket, "getpeername", lambda self: ("169.254.169.254", 80))
    assert "link-local" in _asked(PrometheusSpec(url=server.url))


def test_no_answer_within_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert _asked(PrometheusSpec(url=url), seconds=0.2) == "did not answer within 0.2 s"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"data":{"result":[{}]}}', b'{"data":{"result":7}}'])
def test_what_is_no_result_is_said(body: bytes) -> None:
    assert "answered something" in _asked(PrometheusSpec(url=Answers(200, body).url))


def test_infinities_in_answers() -> None:
    rows = vector("vllm:prompt_tokens_total 5\n", sampled=None, **of_pod("chat-v-0"))
    rows.append({"metric": {"__name__": "vllm:num_requests_running", **of_pod("chat-v-0")}, "value": [1, "+Inf"]})
    sample = samples_of(rows, PODS)[("serving", "chat-v-0")]
    assert sample.reading.gauges == {}
    assert math.isfinite(sample.age)


def answered(rows: list[dict[str, Any]]) -> bytes:
    """As Prometheus writes it."""
    return orjson.dumps({"status": "success", "data": {"resultType": "vector", "result": rows}})


names = st.sampled_from([
    "vllm:prompt_tokens_total", "vllm:num_requests_running", "vllm:time_to_first_token_seconds_bucket",
    "vllm:request_success_total", "llm_d_epp_request_total", "llm_d_epp_request_duration_seconds_bucket", "other",
])  # fmt: skip
texts = st.text(st.characters(codec="utf-8"), max_size=6)
series = st.builds(
    lambda name, pod, job, le, label, value: {
        "metric": {
            "__name__": name, "namespace": "serving", "pod": pod, "job": job, "finished_reason": label,
            **({"le": le} if name.endswith("_bucket") else {}),
        },
        "value": [1000.5, value],
    },
    names, st.sampled_from(["chat-v-0", "chat-epp", "other-0"]), st.sampled_from(["a", "b"]),
    st.sampled_from(["0.1", "0.25", "+Inf", "NaN"]), texts,
    st.sampled_from(["1", "2.5", "NaN", "+Inf", "0", "1e3", "-1"]),
)  # fmt: skip


@given(st.lists(st.lists(series, max_size=12), min_size=1, max_size=3))
def test_an_answer_that_is_not_decoded_says_the_same(ticks: list[list[dict[str, Any]]]) -> None:
    """Tick by tick with one memory, as a worker reads them."""
    memory = Memory()
    for rows in ticks:
        # Prometheus has a series once
        rows = list({str(sorted(row["metric"].items())): row for row in rows}.values())
        found = columns(answered(rows))
        assert found is not None
        gathering = Gathering(PODS, memory=memory)
        gathering.take_columns(found)
        assert gathering.samples() == samples_of(rows, PODS)


@pytest.mark.parametrize(
    "answer",
    [
        answered([{"metric": {"__name__": "x"}, "value": [at, "2"]} for at in (1, 2)]),
        answered([{"metric": {"__name__": "x"}, "value": [1, "many"]}]),
        answered([{"metric": {"__name__": "x"}, "histogram": [1, {"count": "2"}]}]),
        b'{"status": "success", "data": {"resultType": "vector", "result": []}}',
        b'{"status":"error","errorType":"bad_data","error":"no"}',
        b'{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}',
    ],
)
def test_what_looks_otherwise_is_decoded(answer: bytes) -> None:
    assert columns(answer) is None


def test_a_memory_whose_series_do_not_come_again_is_stale() -> None:
    def asked(memory: Memory, labels: list[bytes]) -> bool:
        """For as many questions as it takes to tell."""
        stale = []
        for _ in range(64):
            memory.numbers(labels, lambda text: text[:1])
            stale.append(memory.stale)
        return any(stale)

    memory, many = Memory(), [b"%d" % n for n in range(30_000)]
    assert not asked(memory, many)
    assert not asked(memory, many[:16_000])
    assert asked(memory, many[:8_000])


def test_parts_of_the_query_name_every_metric_once() -> None:
    def named(query: str) -> list[str]:
        return query.split('__name__=~"')[1].split('"')[0].split("|")

    parts = queries_of(["serving"], 4)
    later = named(explaining_query(["serving"], EXPLANATORY))
    assert not any("timestamp(" in part for part in parts)
    assert sorted([*later, *(name for part in parts for name in named(part))]) == named(query_of(["serving"]))
    assert {name.rpartition("_")[0] for name in later} == {FAMILIES[family] for family in EXPLANATORY}
    buckets = [sum(name.endswith("_bucket") for name in named(part)) for part in parts]
    assert max(buckets) - min(buckets) <= 1


@given(st.floats(0, 1e9), st.lists(st.floats(0.01, 50), min_size=1, max_size=20))
def test_each_of_what_explains_is_due_once_a_minute(start: float, steps: list[float]) -> None:
    last, due = start, []
    for step in steps:
        due += explained_between(last, last + step)
        last += step
    turns = math.floor(last / 10) - math.floor(start / 10)
    assert len(due) == turns
    for first in range(len(due) - 5):
        assert sorted(due[first : first + 6]) == sorted(EXPLANATORY)


def test_all_of_what_explains_is_due_when_nothing_is_known() -> None:
    assert explained_between(None, 7.0) == explained_between(0.0, 75.0) == explained_between(9.0, 1.0) == EXPLANATORY


class Fleet:
    """A Prometheus as far as ticks ask it: pods with when they were scraped and how many tokens they had read by then.

    `late`: a scrape that becomes visible right after the first question that follows.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prometheus, "_PODS_OF_ONE_QUERY", 0)
        self.pods: dict[str, tuple[float | None, int]] = {}
        self.clock = 1000.0
        self.late: dict[str, tuple[float, int]] = {}
        self.asked: set[str] = set()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                size = int(self.headers["Content-Length"])
                (query,) = parse_qs(self.rfile.read(size).decode())["query"]
                body = answered(outer.times() if "timestamp(" in query else outer.page(query))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.httpd.serve_forever, args=(0.02,), daemon=True).start()
        self.spec = PrometheusSpec(url=f"http://127.0.0.1:{self.httpd.server_port}")

    def times(self) -> list[dict[str, Any]]:
        rows = [
            {"metric": {**of_pod(name), "lamplight": "sampled_at"}, "value": [self.clock, str(at)]}
            for name, (at, _) in self.pods.items()
            if at is not None
        ]
        self.pods |= self.late
        self.late = {}
        return [*rows, {"metric": {"lamplight": "clock"}, "value": [self.clock, str(self.clock)]}]

    def page(self, query: str) -> list[dict[str, Any]]:
        found = re.search('pod=~"([^"]*)"', query)
        named = set(self.pods) if found is None else set(found[1].replace("\\", "").split("|")) & set(self.pods)
        if "vllm:prompt_tokens_total|" not in query:
            return []
        self.asked |= named
        return [
            {
                "metric": {"__name__": "vllm:prompt_tokens_total", **of_pod(name)},
                "value": [self.clock, str(self.pods[name][1])],
            }
            for name in sorted(named)
        ]

    def ask(self, seconds: float = 10.0) -> dict[str, tuple[float, float]]:
        """(tokens, age) by pod, so many seconds later."""
        self.clock += seconds
        self.asked = set()
        pods = [Target(name, name, "v", "", namespace="serving") for name in ("a", "b.0", "c", "d", "e")]
        found = prometheus.ask(self.spec, pods)
        return {name: (sample.reading.counters["prompt_tokens"], sample.age) for (_, name), sample in found.items()}


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    running = Fleet(monkeypatch)
    yield running
    running.httpd.shutdown()
    running.httpd.server_close()


def test_of_many_pods_only_those_are_read_that_were_scraped_since(fleet: Fleet) -> None:
    fleet.pods = {"a": (1005, 1), "b.0": (1006, 2), "c": (1007, 3), "d": (None, 4), "e": (1008, 5)}
    first = fleet.ask()
    assert first == {"a": (1, 5), "b.0": (2, 4), "c": (3, 3), "d": (4, 0), "e": (5, 2)}
    fleet.pods["b.0"] = (1016, 20)
    # who tells no start time is read every time
    fleet.pods["d"] = (None, 40)
    del fleet.pods["c"]
    assert fleet.ask() == {"a": (1, 15), "b.0": (20, 4), "d": (40, 0), "e": (5, 12)}
    assert fleet.asked == {"b.0", "d"}
    # gone and back with the page of before: what was held is gone too
    fleet.pods["c"] = (1007, 3)
    assert fleet.ask()["c"] == (3, 23)
    assert "c" in fleet.asked


def test_a_scrape_that_ends_while_parts_are_asked_for_counts_at_its_own_time(fleet: Fleet) -> None:
    fleet.pods = dict.fromkeys(["a", "b.0", "c", "e"], (1005.0, 1))
    fleet.ask()
    fleet.pods["a"] = (1015, 2)
    # seen by what is asked for the page, not by what was asked before it
    fleet.late = {"a": (1018, 9)}
    assert fleet.ask()["a"] == (1, 15)
    assert fleet.ask()["a"] == (9, 12)


def test_a_class_that_is_promised_something_is_read_at_once(fleet: Fleet) -> None:
    fleet.pods = {"a": (1005, 1)}
    fleet.ask()
    pod = Target("a", "a", "", "", kind="gateway", namespace="serving", classes=(TrafficClass("acme"),))
    prometheus.ask(fleet.spec, [pod])
    assert fleet.asked == {"a"}
