"""Every query that we ship, executed by a real Prometheus that scrapes a real pool: dashboard, alerts, rules of SLOs.

And the source itself behind TLS, a client certificate and a bearer token.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from django.conf import settings

from apps.clusters.domain.spec import PrometheusSpec
from apps.pools.domain.facts import latency_grid
from apps.slos.domain.rules import RECORD, rule_groups
from apps.slos.domain.slo import Objective, Source, TargetRef, Traffic
from apps.slos.probing import probe_through
from apps.telemetry import prometheus as source
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.engine import EXPLANATORY
from apps.telemetry.domain.observability import panel_queries
from apps.telemetry.domain.panels import PANELS
from apps.telemetry.domain.queries import filled
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.scrape import Target, scrape_all
from apps.telemetry.targets import Prometheus
from tests.support.engines import run_engine
from tests.support.gateways import ENGINE_PORT, GatewayProcess, loopback_address, run_cluster, run_gateway
from tests.support.prometheus import PrometheusProcess, StaticTarget, prometheus_binary, run_prometheus
from tests.support.tls import Authority, Front, Pair, run_front
from tests.support.wait import wait_until

ACME = TrafficClass("acme")
JOB = "serving/chat"
WINDOW = "5m"
ALERTS = Path(settings.BASE_DIR, "deploy/alerts/lamplight-pools.rules.yaml")
DASHBOARD = Path(settings.BASE_DIR, "deploy/grafana/lamplight-pool.json")
# what needs a draft model, a tier or requests that were held: the queries run, and have nothing to say here
QUIET = {"speculation", "offload_bandwidth", "gateway_hold", "gateway_queue"}


@dataclass
class Pool:
    """A running pool and the Prometheus that scrapes it. `rules`: files that it evaluates; `picker`: its page."""

    prometheus: PrometheusProcess
    rules: list[Path]
    picker: str


def objectives() -> list[Objective]:
    latencies = [
        Objective(metric=metric, threshold=timedelta(milliseconds=500), fraction=Decimal("0.95"))
        for metric in ("ttft", "e2e", "tpot", "itl")
    ]
    return [*latencies, Objective(metric="errors", fraction=Decimal("0.99"), window=timedelta(days=7))]


def promised() -> dict[str, tuple[Source, Traffic | None, list[Objective], list[str]]]:
    """SLOs by name: at the gateway, at the engines, of one tenant, and on an endpoint with a second pool."""
    of_a_class = [one for one in objectives() if one.metric in ("e2e", "errors")]
    return {
        "gateway": ("gateway", None, objectives(), ["chat"]),
        "engine": ("engine", None, objectives(), ["chat"]),
        "acme": ("gateway", Traffic(tenant=ACME.tenant), of_a_class, ["chat"]),
        "front": ("gateway", None, objectives(), ["chat", "spare"]),
    }


def slo_rules(directory: Path) -> Path:
    """The rules that Lamplight renders into a cluster for these SLOs, evaluated every second."""
    _, edges = latency_grid()
    groups = [
        {**group, "interval": "1s"}
        for name, (place, traffic, several, pools) in promised().items()
        for group in rule_groups(
            slo=name,
            team="default",
            target=TargetRef(kind="Pool" if len(pools) == 1 else "Endpoint", name=pools[0]),
            pools=pools,
            namespace="serving",
            objectives=several,
            source=place,
            edges=edges,
            traffic=traffic,
        )
    ]
    assert len(groups) == len(promised())
    file = directory / "slos.rules.yaml"
    file.write_text(yaml.safe_dump({"groups": groups}))
    return file


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    prometheus_binary()
    directory = tmp_path_factory.mktemp("pool")
    host = loopback_address()
    rules = [ALERTS, slo_rules(directory)]
    with (
        run_cluster(directory) as cluster,
        run_engine(directory, "--served-model-name", "llama", host=host, port=ENGINE_PORT),
    ):
        cluster.create_pool()
        cluster.create_pod("chat-0", host)
        with run_gateway(directory, cluster) as gateway:
            gateway.wait_for_endpoints(1)
            targets = [
                StaticTarget(f"http://{host}:{ENGINE_PORT}/metrics", "serving", "chat-0", job=JOB),
                StaticTarget(f"http://{gateway.address}:9090/metrics", "serving", "chat-epp-0", job=JOB),
            ]
            with run_prometheus(directory / "prometheus", targets, rules=rules) as running:
                # a labelled counter begins with its first event: the rate is of what comes after that
                _send(gateway, 1)
                _wait_for(running, f'sum(llm_d_epp_request_total{{job="{JOB}"}})')
                _send(gateway, 6)
                _wait_for(running, f'sum(rate(llm_d_epp_request_total{{job="{JOB}"}}[{WINDOW}]))')
                for told in (f'llm_d_epp_request_duration_seconds_count{{job="{JOB}"}}', "vllm:request_success_total"):
                    _wait_for(running, f"sum({told}) == 7")
                yield Pool(running, rules, targets[1].url)


def _send(gateway: GatewayProcess, count: int) -> None:
    """Requests, every other one of tenant acme."""
    for number in range(count):
        body = {"model": "llama", "prompt": f"Number {number} " * 40, "max_tokens": 12, "stream": True}
        headers = {"x-gateway-inference-fairness-id": "acme"} if number % 2 == 0 else {}
        assert gateway.post("/v1/completions", body, headers=headers).status_code == 200


def _wait_for(running: PrometheusProcess, query: str) -> None:
    wait_until(lambda: any(float(row["value"][1]) > 0 for row in running.query(query)), message=f"there is {query}")


def ask(pool: Pool, query: str) -> list[dict[str, Any]]:
    answer = requests.get(f"{pool.prometheus.url}/api/v1/query", params={"query": query}, timeout=30).json()
    assert answer["status"] == "success", f"{query}: {answer.get('error')}"
    return list(answer["data"]["result"])


def test_promtool_takes_every_rule_file(pool: Pool) -> None:
    promtool = Path(prometheus_binary()).with_name("promtool")
    for path in pool.rules:
        done = subprocess.run([promtool, "check", "rules", path], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_evaluated_without_error(pool: Pool) -> None:
    def rules() -> list[dict[str, Any]]:
        answer = requests.get(f"{pool.prometheus.url}/api/v1/rules", timeout=30).json()
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    wait_until(lambda: all(rule["health"] != "unknown" for rule in rules()), message="every rule has been evaluated")
    broken = {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"}
    assert broken == {}
    written = sum(len(group["rules"]) for path in pool.rules for group in yaml.safe_load(path.read_text())["groups"])
    assert len(rules()) == written > 40
    # a pool that is well fires nothing
    assert [rule["name"] for rule in rules() if rule.get("state") == "firing"] == []


def test_recorded_shares_are_of_what_was_asked(pool: Pool) -> None:
    """A rule on series that are not there is silent: each objective's share of bad events has to be a number."""
    expected = {(name, objective.key) for name, (_, _, several, _) in promised().items() for objective in several}
    wait_until(
        lambda: {(row["metric"]["slo"], row["metric"]["objective"]) for row in ask(pool, f"{RECORD}5m")} == expected,
        message="every objective has a share of bad events",
    )
    for row in ask(pool, f"{RECORD}5m"):
        assert 0.0 <= float(row["value"][1]) <= 1.0, row


@pytest.mark.parametrize("panel", PANELS.values(), ids=lambda panel: panel.name)
def test_every_panel_says_something_through_prometheus(pool: Pool, panel: Any) -> None:
    for label, query in panel_queries(panel):
        found = ask(pool, filled(query, selector=f'job=~"{JOB}"', window=WINDOW))
        if panel.name not in QUIET:
            assert found, f"{panel.name}, {label}: {query} has no series"


def test_the_dashboard_as_it_is_shipped(pool: Pool) -> None:
    shipped = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in shipped["panels"] for target in panel.get("targets", ())]
    assert len(queries) > 40
    for query in queries:
        ask(pool, query.replace("$pool", JOB).replace("$__rate_interval", WINDOW))
    (metric,) = re.findall(r"label_values\((.+), job\)", json.dumps(shipped["templating"]))
    assert {row["metric"]["job"] for row in ask(pool, metric)} == {JOB}


def test_a_tenant_is_counted_on_its_own_alike_by_both_sources(pool: Pool) -> None:
    picker = Target(
        "epp", "chat-epp-0", "", pool.picker, kind="gateway", namespace="serving", classes=(ACME, TrafficClass("none"))
    )
    direct = asyncio.run(scrape_all([picker]))["epp"].reading
    (through,) = source.ask(PrometheusSpec(url=pool.prometheus.url), [picker]).values()
    assert direct is not None
    assert direct.counters["gateway.requests"] == 7
    assert direct.counters["gateway.requests@tenant=acme"] == 4
    assert direct.counters["gateway.requests@tenant=none"] == 0
    assert max(direct.cumulative["gateway.e2e@tenant=acme"].values()) == 4
    of_classes = {name: count for name, count in direct.counters.items() if "@" in name}
    assert {name: through.reading.counters[name] for name in of_classes} == of_classes
    assert through.reading.cumulative == direct.cumulative


def test_asked_in_parts_it_says_the_same(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large installations ask for the metrics in parts, at one moment of the Prometheus' own clock."""
    spec = PrometheusSpec(url=pool.prometheus.url)

    def read() -> dict[Any, Any]:
        return {pod: sample.reading for pod, sample in source.ask(spec, PODS).items()}

    def in_parts() -> bool:
        # the first time all is asked for, then what is news, in which what only explains has its turn once a minute
        source._sources.clear()
        first, second = read(), read()
        return first == whole and {pod: without(page) for pod, page in second.items()} == {
            pod: without(page) for pod, page in whole.items()
        }

    def without(page: PageReading) -> PageReading:
        late = {*EXPLANATORY, *(f"{family}_sum" for family in EXPLANATORY)}
        return replace(
            page,
            counters={name: total for name, total in page.counters.items() if name not in late},
            cumulative={name: edges for name, edges in page.cumulative.items() if name not in late},
        )

    whole = read()
    assert any("prefill" in page.cumulative for page in whole.values())
    monkeypatch.setattr(source, "_PODS_OF_ONE_QUERY", 0)
    # nobody asks the pool anything; but a scrape may end just then
    wait_until(in_parts, message="the same page")


def test_integrity_is_probed_by_the_query_of_the_tick(pool: Pool) -> None:
    cluster = Prometheus("c", "east", PrometheusSpec(url=pool.prometheus.url))
    engine = Target("engine", "chat-0", "v", "http://10.0.0.1/metrics", namespace="serving")
    picker = Target("picker", "chat-epp-0", "", pool.picker, kind="gateway", namespace="serving")
    unknown = Target("unknown", "chat-9", "v", "http://10.0.0.1/metrics", namespace="serving")
    wanted = ["vllm:request_success_total", "vllm:time_to_first_token_seconds", "llm_d_epp_request_total"]
    found = probe_through(cluster, [engine, picker, unknown], wanted)
    for metric in wanted[:2]:
        facts = found["engine"].series[metric]
        assert (facts.models, facts.total, facts.finite) == (frozenset({"llama"}), 7.0, True)
    assert found["picker"].series["llm_d_epp_request_total"].total == 7.0
    assert found["picker"].sent == {"chat-0": 7.0}
    assert "has no series of pod serving/chat-9" in found["unknown"].silent
    gone = Prometheus("c", "east", PrometheusSpec(url="http://127.0.0.1:9"))
    assert "cannot be reached" in probe_through(gone, [engine], wanted)["engine"].silent


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"), "ours")


@pytest.fixture(scope="module")
def client(authority: Authority) -> Pair:
    return authority.issue("lamplight")


@pytest.fixture
def front(pool: Pool, authority: Authority) -> Iterator[Front]:
    with run_front(
        pool.prometheus.url, server=authority.issue("server"), clients=authority.file, token="s3cret-1"
    ) as up:
        yield up


PODS = [Target("uid", "chat-0", "v", "http://10.0.0.1/metrics", namespace="serving")]


def spec(front: Front, authority: Authority, client: Pair, token: Path, **changes: Any) -> PrometheusSpec:
    credentials = {
        "bearerTokenFile": str(token),
        "caFile": str(authority.file),
        "certificateFile": str(client.certificate),
        "keyFile": str(client.key),
        **changes,
    }
    given = {name: value for name, value in credentials.items() if value is not None}
    return PrometheusSpec.from_document({"url": front.url, "credentials": given})


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("s3cret-1\n")
    return file


def test_a_prometheus_behind_tls_and_a_token(
    pool: Pool, front: Front, authority: Authority, client: Pair, token: Path
) -> None:
    found = source.ask(spec(front, authority, client, token), PODS)
    plain = source.ask(PrometheusSpec(url=pool.prometheus.url), PODS)
    (secured,), (open_,) = found.values(), plain.values()
    assert secured.reading.counters["requests"] == open_.reading.counters["requests"] == 7
    assert [path.partition("?")[0] for path in front.asked] == ["/api/v1/query"]
    # a token that was renewed in place is read anew
    front.token = "s3cret-2"
    with pytest.raises(source.PrometheusError, match="refused the query") as refused:
        source.ask(spec(front, authority, client, token), PODS)
    assert "s3cret" not in str(refused.value)
    token.write_text("s3cret-2")
    assert source.ask(spec(front, authority, client, token), PODS)


def test_whom_tls_does_not_vouch_for_is_not_asked(
    front: Front, authority: Authority, client: Pair, token: Path, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(source.PrometheusError, match="certificate verify failed"):
        source.ask(spec(front, authority, client, token, caFile=str(stranger.file)), PODS)
    # authorities of the system do not know it either
    with pytest.raises(source.PrometheusError, match="certificate verify failed"):
        source.ask(spec(front, authority, client, token, caFile=None), PODS)
    assert front.asked == []


def test_without_its_own_certificate_nothing_is_answered(
    front: Front, authority: Authority, client: Pair, token: Path, tmp_path: Path
) -> None:
    with pytest.raises(source.PrometheusError, match="cannot be reached"):
        source.ask(spec(front, authority, client, token, certificateFile=None, keyFile=None), PODS)
    missing = spec(front, authority, client, token, bearerTokenFile=str(tmp_path / "none"))
    with pytest.raises(source.PrometheusError, match="No such file"):
        source.ask(missing, PODS)
    assert front.asked == []


def test_a_certificate_of_another_address_is_refused(
    pool: Pool, authority: Authority, client: Pair, token: Path
) -> None:
    elsewhere = authority.issue("elsewhere", address="10.9.9.9")
    with run_front(pool.prometheus.url, server=elsewhere, clients=authority.file, token="s3cret-1") as front:
        with pytest.raises(source.PrometheusError, match="certificate verify failed"):
            source.ask(spec(front, authority, client, token), PODS)
        assert front.asked == []
