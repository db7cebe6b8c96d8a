"""Every panel of a pool over 24 hours, through the REST API on a Postgres that holds days of many pools.

Signals are loaded with COPY: blocks of the hours that are packed (docs/decisions/0012-signals-in-blocks.md) and rows of
those that are not yet, of pools with one variant and a gateway, every metric of both moving at random in every minute.
The time is the worst of the day: an hour after a span was over, so that as many rows as ever stand unpacked. What runs
without arguments is a form for a laptop; `ARGS="--pools 1000 --days 14"` is the whole (about 15 GB of disk, five
minutes on two cores).

Peer: the same chart (three quantiles of TTFT, 145 points) through PromQL on a real Prometheus, which holds far fewer
pools (`--peer-pools`) and only this one histogram. Without a `prometheus` binary there is no peer's figure.
"""

from __future__ import annotations

import argparse
import functools
import gc
import itertools
import json
import math
import os
import random
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from bench.common import finish

LIMIT_MS = 50.0
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
# different histories, which pools take turns with
TEMPLATES = 8
VARIANT = "h200"
_COLUMNS = ("counts", "rates", "histograms", "gauges", "replicas", "sources")
_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000)
# family -> median and spread (sigma of its logarithm) of what is observed; others are lengths
_SHAPES = {
    "ttft": (0.2, 0.6), "itl": (0.02, 0.4), "tpot": (0.02, 0.3), "e2e": (5.0, 0.7), "queue": (0.01, 1.0),
    "prefill": (0.15, 0.6), "decode": (4.0, 0.7), "inference": (4.2, 0.7), "hold": (0.01, 1.0),
}  # fmt: skip


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pools", type=int, default=100)
    options.add_argument("--days", type=int, default=2, help="of minutes that are loaded")
    options.add_argument("--asked", type=int, default=20, help="pools whose panels are read")
    options.add_argument("--peer-pools", type=int, default=10)
    chosen = options.parse_args()
    base = Path(tempfile.mkdtemp(prefix="lamplight-panels-"))
    base.chmod(0o755)
    try:
        with postgres(base / "pg"):
            figures = measure(chosen.pools, chosen.days, chosen.asked)
        peer = prometheus_p95(base, chosen.peer_pools)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    ratios = {"p95_of_limit": round(figures["worst_panel_p95_ms"] / LIMIT_MS, 3)}
    if peer is not None:
        figures["prometheus_ttft_p95_ms"] = round(peer, 1)
        ratios["ttft_of_prometheus"] = round(figures["ttft_p95_ms"] / peer, 3)
    finish(
        "panels",
        figures=figures,
        ratios=ratios,
        peer=f"limit: {LIMIT_MS:g} ms at p95; Prometheus with {chosen.peer_pools} pools of one histogram"
        if peer is not None
        else f"limit: {LIMIT_MS:g} ms at p95; no prometheus binary here to compare with",
        ok=figures["worst_panel_p95_ms"] <= LIMIT_MS,
    )


@contextmanager
def postgres(directory: Path) -> Iterator[None]:
    """A Postgres of our own with the schema, and Django set up on it."""
    from controlplane.supervisor.children import die_with_parent
    from controlplane.supervisor.postgres import prepare

    server = prepare(directory, small=True)
    process = subprocess.Popen(
        server.argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGINT),
        **server.popen,
    )
    try:
        until = time.monotonic() + 60
        while not server.is_ready(process.pid):
            if time.monotonic() > until:
                sys.exit("Postgres did not start within 60 s")
            time.sleep(0.1)
        server.create_database()
        os.environ["DATABASE_URL"] = server.url
        os.environ.setdefault("LAMPLIGHT_SECRET_KEY", "only-for-this-benchmark")
        os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings"
        import django
        from django.conf import settings
        from django.core.management import call_command

        django.setup()
        settings.ALLOWED_HOSTS = ["*"]
        call_command("migrate", verbosity=0)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def measure(pools: int, days: int, asked: int) -> dict[str, Any]:
    from apps.core import clock

    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # an hour after a span of four was over: never do more rows stand unpacked
    now = today + timedelta(hours=4, minutes=59)
    uids = [uuid.UUID(int=n + 1) for n in range(pools)]
    with clock.frozen(now):
        started = time.monotonic()
        loaded = load(uids, now - days * DAY, now)
        seconds = time.monotonic() - started
        sizes = {name: size_of(name) for name in ("block_minute", "block_ten", "signal_minute", "signal_ten")}
        pool_days = pools * (loaded["packed"] / DAY)
        figures: dict[str, Any] = {
            "pools": pools,
            "days": days,
            "minutes": round(pools * (days * DAY / MINUTE)),
            "bytes_per_pool_day": round((sizes["block_minute"] + sizes["block_ten"]) / pool_days),
            "bytes_per_pool_day_minutes": round(sizes["block_minute"] / pool_days),
            "bytes_per_pool_not_packed": round((sizes["signal_minute"] + sizes["signal_ten"]) / pools),
            "gigabytes": round(sum(sizes.values()) / 1e9, 2),
            "pack_ms_per_pool_day": round(loaded["pack_ms"], 1),
        }
        print(f"loaded in {seconds:.0f} s: {figures}", flush=True)
        times = read_panels(uids, asked, now)
    for name, taken in sorted(times.items(), key=lambda item: -p95(item[1])):
        print(f"  {name:28} p50 {statistics.median(taken):6.1f} ms   p95 {p95(taken):6.1f} ms")
    figures["ttft_p95_ms"] = round(p95(times["ttft"]), 1)
    figures["worst_panel_p95_ms"] = round(max(p95(taken) for taken in times.values()), 1)
    figures["all_panels_p95_ms"] = round(p95([one for taken in times.values() for one in taken]), 1)
    return figures


def size_of(table: str) -> int:
    """Bytes on disk of a table with all its partitions, indexes and TOAST."""
    from django.db import connection

    with connection.cursor() as cursor:
        sizes = 0
        for name in partitions_of(cursor, f"telemetry_{table}"):
            cursor.execute("SELECT pg_total_relation_size(%s::regclass)", [name])
            sizes += cursor.fetchone()[0]
        return sizes


def partitions_of(cursor: Any, table: str) -> list[str]:
    cursor.execute("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass", [table])
    return [name for (name,) in cursor.fetchall()]


def load(uids: list[uuid.UUID], start: datetime, now: datetime) -> dict[str, Any]:
    """COPY blocks of all spans that are packed by `now`, rows of what is not. `packed`: the time that blocks cover."""
    from django.db import connection

    from apps.telemetry import partitions
    from apps.telemetry.models import Progress

    of_minutes = partitions.BLOCKS[partitions.MINUTES.name]
    span, packed_until = of_minutes.span, of_minutes.start_of(now - partitions.YOUNGEST_BLOCK)
    first = of_minutes.start_of(start)
    starts = [first + n * span for n in range((packed_until - first) // span)]
    minutes = [history(n, span // MINUTE, 1) for n in range(TEMPLATES)]
    tens = [history(n, span // (10 * MINUTE), 10) for n in range(TEMPLATES)]
    began = time.monotonic()
    blocks = {60: [packed(one, 60) for one in minutes], 600: [packed(one, 600) for one in tens]}
    # both, for one pool and day
    pack_ms = (time.monotonic() - began) / TEMPLATES * 1e3 * (DAY / span)
    for table in partitions.ALL:
        for at in (*starts, packed_until, now):
            partitions.ensure(table, at)
    with connection.cursor() as cursor:
        # what is loaded is read once and thrown away: its log would only be as much again to write
        for table in partitions.ALL:
            for name in partitions_of(cursor, table.name):
                cursor.execute(f"ALTER TABLE {name} SET UNLOGGED")
        for name, length in (("block_minute", 60), ("block_ten", 600)):
            with cursor.cursor.copy(f"COPY telemetry_{name} (pool, start, data) FROM STDIN (FORMAT BINARY)") as copy:
                copy.set_types(["uuid", "timestamptz", "bytea"])
                for n, at in enumerate(starts):
                    turned = [moved(data, at) for data in blocks[length]]
                    for k, uid in enumerate(uids):
                        copy.write_row((uid, at, turned[(k + n) % TEMPLATES]))
        for name, length, several in (("signal_minute", 60, minutes), ("signal_ten", 600, tens)):
            moments = (now - packed_until) // timedelta(seconds=length)
            load_rows(cursor, name, length, several, uids, packed_until, moments)
        # the side tables of packed values are read by their index alone
        cursor.execute("VACUUM (ANALYZE, PROCESS_TOAST FALSE)")
    ten = now.replace(minute=now.minute // 10 * 10)
    Progress.objects.update_or_create(id=1, defaults={"minutes_until": now, "tens_until": ten, "last_tick_at": now})
    return {"packed": packed_until - first, "pack_ms": pack_ms}


def load_rows(
    cursor: Any, name: str, length: int, several: list[Any], uids: list[uuid.UUID], start: datetime, moments: int
) -> None:
    """Rows of `moments` spans of `length` seconds behind `start`: each history by COPY, then for all pools of it."""
    columns = f"at, variant, seconds, targets, scraped, reason, {', '.join(_COLUMNS)}"
    # rows as they are in the partitions: not packed one by one (apps.telemetry.partitions)
    cursor.execute(
        f"CREATE TEMP TABLE shape WITH (toast_tuple_target = 8160) AS "
        f"SELECT 0 AS shape, {columns} FROM telemetry_{name} LIMIT 0"
    )
    with cursor.cursor.copy(f"COPY shape (shape, {columns}) FROM STDIN") as copy:
        for shape, one in enumerate(several):
            texts = [[row_text(row) for row in pair] for pair in one]
            for n in range(moments):
                at = start + (n + 1) * timedelta(seconds=length)
                for variant, text in zip(("", VARIANT), texts[n % len(texts)], strict=True):
                    copy.write(f"{shape}\t{at.isoformat()}\t{variant}\t{length}\t2\t2\t\t{text}\n")
    # as ticks write them: all pools of a moment, then the next one
    cursor.execute(
        f"INSERT INTO telemetry_{name} (pool, {columns}) SELECT pool, {columns} "
        "FROM unnest(%s::uuid[]) WITH ORDINALITY AS pools (pool, number) "
        "JOIN shape ON shape.shape = (number - 1) %% %s ORDER BY at, number, variant",
        [uids, TEMPLATES],
    )
    cursor.execute("DROP TABLE shape")


def history(seed: int, rows: int, minutes: int) -> list[tuple[Any, Any]]:
    """Rows of a pool with a gateway and of its only variant, with every metric that their pages have.

    Of two engines that answer some 300 requests a minute, up and down.
    """
    import numpy as np

    from apps.pools.domain.facts import latency_grid
    from apps.telemetry.domain import engine, gateway
    from apps.telemetry.domain.histogram import Histogram
    from apps.telemetry.domain.signals import Signals

    draw = np.random.default_rng(seed)
    _, grid = latency_grid()

    def observed(family: str, requests: int) -> tuple[Histogram, float]:
        shape = _SHAPES.get(family.rpartition(".")[2])
        median, sigma = shape or (500.0, 1.0)
        count = requests * 150 if family.endswith("itl") else requests
        edges = (0.0, *(grid if shape else _LENGTHS), math.inf)
        inside = draw.multinomial(count, shares(edges, median, sigma))
        buckets = {(edges[n], edges[n + 1]): float(seen) for n, seen in enumerate(inside) if seen}
        # mean and variance of one lognormal observation
        mean = median * math.exp(sigma**2 / 2)
        spread = mean * math.sqrt(math.expm1(sigma**2))
        return Histogram(buckets), float(max(0.0, draw.normal(count * mean, spread * math.sqrt(count))))

    made = []
    for number in range(rows):
        requests = int(draw.poisson(300 * minutes * (1 + 0.5 * math.sin(number * minutes / 60))))
        engines = {family: observed(family, requests) for family in engine.FAMILIES}
        pickers = {family: observed(family, requests) for family in gateway.FAMILIES}
        counts = {f"{family}_sum": total for family, (_, total) in engines.items()}
        # half of what a page has is 0 on most engines: no speculation, no tiers
        for n, name in enumerate(engine.COUNTERS):
            counts[name] = float(draw.poisson(requests * 150 * (1 + n % 3))) if n % 2 else 0.0
        counts |= {"accelerator_seconds": 120.0 * minutes, "cost:USD": 8 / 60 * minutes}
        at_gateway = {f"{family}_sum": total for family, (_, total) in pickers.items()}
        at_gateway |= {"gateway.requests": float(requests), "gateway.errors": 0.0, "gateway.poll_errors": 0.0}
        gauges = {name: round(float(draw.uniform()), 4) for name in engine.GAUGES}
        gauges |= {"accelerators": 2.0, "cost_per_hour:USD": 8.0}
        states = {"desired": 2, "ready": 2, "starting": 0, "terminating": 0, "awake": 2, "asleep": 0, "discarded": 0}
        same: dict[str, Any] = {"at": 0.0, "seconds": 60.0 * minutes, "targets": 2, "scraped": 2, "replicas": states}
        histograms = {family: histogram for family, (histogram, _) in engines.items()}
        variant = Signals(**same, counts=counts, gauges=gauges, histograms=histograms)
        pool = Signals(
            **same,
            counts=counts | at_gateway,
            gauges=gauges | {name: round(float(draw.uniform()), 4) for name in gateway.GAUGES},
            histograms=histograms | {family: histogram for family, (histogram, _) in pickers.items()},
            sources={"gateway": {"targets": 1, "scraped": 1, "reason": ""}},
        )
        made.append((pool, variant))
    return made


@functools.cache
def shares(edges: tuple[float, ...], median: float, sigma: float) -> tuple[float, ...]:
    """Of observations that are lognormal, how many fall into each bucket."""
    below = [
        0.0
        if edge <= 0
        else 1.0
        if math.isinf(edge)
        else statistics.NormalDist(math.log(median), sigma).cdf(math.log(edge))
        for edge in edges
    ]
    return tuple(high - low for low, high in itertools.pairwise(below))


def packed(rows: list[tuple[Any, Any]], length: float) -> bytes:
    from apps.telemetry.domain.blocks import pack

    timed = [[replace(row, at=(n + 1) * length) for row in pair] for n, pair in enumerate(rows)]
    return pack({"": [pool for pool, _ in timed], VARIANT: [variant for _, variant in timed]})


def moved(data: bytes, start: datetime) -> bytes:
    """A block as if its rows began behind `start`: the same history at another time, without packing it anew."""
    import orjson

    (length,) = struct.unpack_from("<I", data)
    header = orjson.loads(zlib.decompress(data[4 : 4 + length]))
    header["first"] += round(start.timestamp() * 1e6)
    again = zlib.compress(orjson.dumps(header), 9)
    return struct.pack("<I", len(again)) + again + data[4 + length :]


def row_text(row: Any) -> str:
    """The JSON columns of a row, as COPY takes them."""
    columns = row.to_json()
    return "\t".join(json.dumps(columns[column]) for column in _COLUMNS)


def read_panels(uids: list[uuid.UUID], asked: int, now: datetime) -> dict[str, list[float]]:
    """Milliseconds of each panel's answers over the REST API, in process: routing, rights, SQL, arithmetic, JSON."""
    from django.test import Client

    from apps.accounts import tokens
    from apps.accounts.models import Membership, Team, User
    from apps.core.domain.access import Role
    from apps.pools.models import Pool

    user = User.objects.create_user("bench", None)
    Membership.objects.create(user=user, team=Team.objects.get_or_create(name="default")[0], role=Role.VIEWER)
    token = tokens.issue(owner=user, name="bench").secret
    chosen = random.Random(1).sample(uids, min(asked, len(uids)))
    spec = {"model": "m", "cluster": "c", "variants": [{"name": VARIANT}]}
    for n, uid in enumerate(chosen):
        Pool.objects.create(
            uid=uid, team="default", name=f"p{n}", namespace="serving", spec=spec, created_at=now, updated_at=now
        )
    client = Client(headers={"Authorization": f"Bearer {token}"})
    base = "/api/v1/teams/default/pools"
    names = [entry["name"] for entry in client.get(f"{base}/p0/panels").json()["items"]]
    query = urlencode({"from": now.timestamp() - 86400, "to": now.timestamp()})
    client.get(f"{base}/p0/panels/{names[0]}?{query}")  # the first answer also imports
    gc.freeze()  # as servers do when they have started
    times: dict[str, list[float]] = {}
    for n in range(len(chosen)):
        for name in names:
            started = time.perf_counter()
            answer = client.get(f"{base}/p{n}/panels/{name}?{query}")
            times.setdefault(name, []).append((time.perf_counter() - started) * 1e3)
            assert answer.status_code == 200, answer.content
            drawn = answer.json()
            # a heatmap has columns in the place of lines
            assert "heatmap" in drawn or len(drawn["series"][0]["points"]) >= 140
    return times


def prometheus_p95(base: Path, pools: int) -> float | None:
    """p95 of three quantiles of a pool's TTFT over a day by range queries; None without a Prometheus."""
    binary = os.environ.get("LAMPLIGHT_PROMETHEUS") or shutil.which("prometheus")
    promtool = Path(binary).with_name("promtool") if binary else None
    if binary is None or promtool is None or not promtool.exists():
        return None
    from apps.pools.domain.facts import latency_grid

    _, grid = latency_grid()
    now = int(time.time()) // 60 * 60
    draw = random.Random(2)
    metric = "vllm:time_to_first_token_seconds"
    page = base / "page.txt"
    with page.open("w") as out:
        out.write(f"# TYPE {metric} histogram\n")
        for pool in range(pools):
            totals = [0] * (len(grid) + 1)
            steps = []
            for minute in range(1450):
                for _ in range(20):
                    value = draw.lognormvariate(0, 0.6) * 0.2
                    for index in range(next((n for n, e in enumerate(grid) if value <= e), len(grid)), len(totals)):
                        totals[index] += 15
                steps.append((now - (1450 - minute) * 60, list(totals)))
            for index, edge in enumerate([*map(str, grid), "+Inf"]):
                for at, counted in steps:
                    out.write(f'{metric}_bucket{{pool="p{pool}",le="{edge}"}} {counted[index]} {at}\n')
        out.write("# EOF\n")
    data = base / "prometheus"
    subprocess.run([str(promtool), "tsdb", "create-blocks-from", "openmetrics", str(page), str(data)],
                   check=True, capture_output=True)  # fmt: skip
    config = base / "prometheus.yml"
    config.write_text("{}")
    from controlplane.supervisor.children import die_with_parent
    from tests.support.ports import free_port

    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [binary, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    try:
        return _ask_prometheus(address, metric, pools, now)
    finally:
        process.kill()
        process.wait()


def _ask_prometheus(address: str, metric: str, pools: int, now: int) -> float:
    times = []
    until = time.monotonic() + 60
    while True:
        try:
            urlopen(f"http://{address}/-/ready", timeout=5).read()
            break
        except OSError:
            if time.monotonic() > until:
                sys.exit("Prometheus did not start within 60 s")
            time.sleep(0.2)
    for n in range(max(20, pools)):
        started = time.perf_counter()
        for q in (0.5, 0.95, 0.99):
            query = f'histogram_quantile({q}, sum by (le) (rate({metric}_bucket{{pool="p{n % pools}"}}[600s])))'
            form = urlencode({"query": query, "start": now - 86400, "end": now, "step": 600})
            answer = json.load(urlopen(f"http://{address}/api/v1/query_range?{form}", timeout=60))
            assert len(answer["data"]["result"][0]["values"]) > 130, answer
        times.append((time.perf_counter() - started) * 1e3)
    print(f"Prometheus, {pools} pools: p50 {statistics.median(times):.1f} ms, p95 {p95(times):.1f} ms")
    return p95(times)


def p95(values: list[float]) -> float:
    return sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)]


if __name__ == "__main__":
    main()
