"""A thousand pools read through one Prometheus in one tick: every counter, gauge and bucket of every pod.

A real Prometheus (Debian's package) scrapes as many synthetic pods as the pools have, from another process of the same
machine that serves recorded pages of vLLM, every pod twice a minute (`--every`). Then `telemetry.prometheus.ask` is
timed as ticks call it, one each ten seconds: when pods were scraped, the pages of those that were since the last tick,
in parts, the answers over HTTP, the readings (`tick_s`, `slowest_tick_s`); and with nothing held, as if every pod had
been scraped since (`all_news_s`). It goes on scraping meanwhile, on the same cores. Limit: 2 s for 1,000 pools in any
of them. Peer: what Prometheus itself takes for everything in one query, read and thrown away (curl's part).
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from bench.common import finish, shared
from bench.telemetry_scrape import TICK_S, cpu, serve

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from apps.clusters.domain.spec import PrometheusSpec
from apps.telemetry import prometheus as telemetry
from apps.telemetry.domain.promql import query_of
from apps.telemetry.scrape import Target

LIMIT_S = 2.0
PAGE = "vllm-metrics-0.33.txt"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pools", type=int, default=1000, help="of one engine each")
    options.add_argument("--rounds", type=int, default=6)
    options.add_argument("--every", default="30s", help="how often Prometheus scrapes a pod")
    chosen = options.parse_args()
    binary = os.environ.get("LAMPLIGHT_PROMETHEUS") or shutil.which("prometheus")
    if binary is None:
        print("skipped: there is no Prometheus here: apt-get install prometheus, or set LAMPLIGHT_PROMETHEUS")
        sys.exit(0)
    page = shared("reference", PAGE).read_bytes()
    pods = [Target(str(n), f"pool-{n}-v-abc12", "v", "", namespace="serving") for n in range(chosen.pools)]
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(page, theirs), daemon=True)
    server.start()
    base = Path(tempfile.mkdtemp(prefix="lamplight-prometheus-"))
    try:
        with prometheus(base, binary, ours.recv(), [pod.name for pod in pods], chosen.every) as url:
            figures = measure(url, pods, chosen.rounds)
    finally:
        server.kill()
        shutil.rmtree(base, ignore_errors=True)
    took, raw = max(figures["slowest_tick_s"], figures["all_news_s"]), figures["prometheus_alone_s"]
    finish(
        "telemetry_prometheus",
        figures={"pools": chosen.pools, **figures},
        ratios={"of_limit": round(took / LIMIT_S, 3), "of_prometheus_alone": round(took / raw, 3)},
        peer="the same query of the same Prometheus, its answer read and thrown away",
        ok=took <= LIMIT_S * max(1.0, chosen.pools / 1000),
    )


def measure(url: str, pods: list[Target], rounds: int) -> dict[str, Any]:
    spec = PrometheusSpec(url=url)
    query = query_of({pod.namespace for pod in pods})
    # what series are called is learnt once
    first, _ = timed(spec, pods)
    gc.freeze()
    paced, begun = [], time.monotonic()
    for turn in range(1, rounds + 1):
        time.sleep(max(0.0, begun + TICK_S * turn - time.monotonic()))
        paced.append(timed(spec, pods))
    news, alone, size = [], [], 0
    for _ in range(rounds):
        for source in telemetry._sources.values():
            source.held.clear()
        news.append(timed(spec, pods))
        started = time.perf_counter()
        size = len(requests.post(f"{url}/api/v1/query", data={"query": query}, timeout=60).content)
        alone.append(time.perf_counter() - started)
    for name, taken in (("ticks", paced), ("all news", news)):
        print(f"{name}: " + ", ".join(f"{wall:.2f} s ({cpu:.2f} s of our processor)" for wall, cpu in taken))
    print(f"Prometheus alone: {[round(one, 2) for one in alone]} s")
    return {
        "tick_s": round(statistics.median(wall for wall, _ in paced), 2),
        "slowest_tick_s": round(max(wall for wall, _ in paced), 2),
        "tick_cpu_s": round(statistics.median(cpu for _, cpu in paced), 2),
        "all_news_s": round(statistics.median(wall for wall, _ in news), 2),
        "all_news_cpu_s": round(statistics.median(cpu for _, cpu in news), 2),
        "first_tick_s": round(first, 2),
        "prometheus_alone_s": round(statistics.median(alone), 2),
        "answer_mib": round(size / 2**20, 1),
    }


def timed(spec: PrometheusSpec, pods: list[Target]) -> tuple[float, float]:
    """Seconds that a tick's reading took, and of them on our processor."""
    started, before = time.perf_counter(), cpu()
    found = telemetry.ask(spec, pods, seconds=60)
    taken = time.perf_counter() - started, cpu() - before
    assert len(found) == len(pods)
    assert all(sample.reading.counters["requests"] > 0 for sample in found.values())
    return taken


@contextmanager
def prometheus(base: Path, binary: str, port: int, pods: list[str], every: str = "30s") -> Iterator[str]:
    """A Prometheus that has scraped all pods once."""
    from controlplane.supervisor.children import die_with_parent
    from tests.support.ports import free_port

    groups = [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "serving", "pod": pod}} for pod in pods]
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every},
        "scrape_configs": [{"job_name": "pods", "static_configs": groups}],
    }
    file = base / "prometheus.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [binary, f"--config.file={file}", f"--storage.tsdb.path={base / 'data'}", f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    url, until = f"http://{address}", time.monotonic() + 240
    try:
        while _up(url) < len(pods):
            if time.monotonic() > until:
                sys.exit("Prometheus did not scrape all pods within 240 s")
            time.sleep(1)
        yield url
    finally:
        process.kill()
        process.wait()


def _up(url: str) -> int:
    try:
        answer = requests.get(f"{url}/api/v1/query", params={"query": "sum(up)"}, timeout=30).json()
        return int(answer["data"]["result"][0]["value"][1])
    except (requests.RequestException, ValueError, LookupError):
        return 0


if __name__ == "__main__":
    main()
