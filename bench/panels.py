"""Every panel of a pool over 24 hours, through the REST API on a Postgres full of one-minute signals.

Rows are loaded with COPY in the order in which ticks write them: all pools of a minute, then the next minute, so that
every row of a pool lies on a page of its own. `--pools 1000 --days 14` is the full size (some 100 GB); the default
loads what fits a laptop. A panel of a day opens two daily partitions, however many there are.

Peer: the same chart (three quantiles of TTFT, 145 points) through PromQL on a real Prometheus, which holds far fewer
pools (`--peer-pools`) and only this one histogram. Without a `prometheus` binary there is no peer's figure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from bench.common import finish

LIMIT_MS = 50.0
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
TEMPLATES = 400
_COLUMNS = ("counts", "rates", "histograms", "gauges", "replicas", "sources")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pools", type=int, default=300)
    options.add_argument("--days", type=int, default=1, help="of minutes that are loaded")
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

    server = prepare(directory)
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
    from django.db import connection

    now = datetime.now(UTC).replace(second=0, microsecond=0)
    uids = [uuid.UUID(int=n + 1) for n in range(pools)]
    started = time.monotonic()
    rows = load(uids, now - days * DAY - 10 * MINUTE, now)
    seconds = time.monotonic() - started
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE telemetry_signal_minute")
        cursor.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
            "WHERE inhparent = 'telemetry_signal_minute'::regclass"
        )
        size = int(cursor.fetchone()[0])
    print(f"{rows} rows of {pools} pools and {days} days loaded in {seconds:.0f} s; {size / rows:.0f} bytes a row")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
            "WHERE inhparent = 'telemetry_signal_ten'::regclass"
        )
        tens = int(cursor.fetchone()[0])
    figures: dict[str, Any] = {
        "pools": pools,
        "days": days,
        "rows": rows,
        "bytes_per_row": round(size / rows),
        # a row for the pool and one for its variant
        "bytes_per_pool_day": round((size + tens) / rows * 1440 * 2),
    }
    times = read_panels(uids, asked, now)
    for name, taken in sorted(times.items(), key=lambda item: -p95(item[1])):
        print(f"  {name:28} p50 {statistics.median(taken):6.1f} ms   p95 {p95(taken):6.1f} ms")
    figures["ttft_p95_ms"] = round(p95(times["ttft"]), 1)
    figures["worst_panel_p95_ms"] = round(max(p95(taken) for taken in times.values()), 1)
    figures["all_panels_p95_ms"] = round(p95([one for taken in times.values() for one in taken]), 1)
    return figures


def load(uids: list[uuid.UUID], start: datetime, now: datetime) -> int:
    """COPY a row for each pool and one for its variant, minute by minute."""
    from django.db import connection

    from apps.telemetry import partitions
    from apps.telemetry.models import Progress

    texts = [row_text(random.Random(n)) for n in range(TEMPLATES)]
    day = start
    while day <= now + DAY:
        partitions.ensure(partitions.MINUTES, day)
        day += DAY
    count, at = 0, start
    with connection.cursor() as cursor:
        with cursor.cursor.copy(
            "COPY telemetry_signal_minute (pool, variant, at, seconds, targets, scraped, reason, "
            f"{', '.join(_COLUMNS)}) FROM STDIN"
        ) as copy:
            while at < now:
                at += MINUTE
                stamp, lines = at.isoformat(), []
                for n, uid in enumerate(uids):
                    for variant in ("", "h200"):
                        lines.append(f"{uid}\t{variant}\t{stamp}\t60\t2\t2\t\t{texts[(count * 7 + n) % TEMPLATES]}\n")
                        count += 1
                copy.write("".join(lines))
    copy_tens()
    ten = now.replace(minute=now.minute // 10 * 10)
    Progress.objects.update_or_create(id=1, defaults={"minutes_until": now, "tens_until": ten, "last_tick_at": now})
    return count


def copy_tens() -> None:
    """Every tenth minute stands for its ten: as large as a merged row, without merging two million of them first."""
    from django.db import connection

    from apps.telemetry import partitions

    columns = f"pool, variant, at, seconds, targets, scraped, reason, {', '.join(_COLUMNS)}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT date_trunc('day', at, 'UTC') FROM telemetry_signal_minute")
        for (day,) in cursor.fetchall():
            partitions.ensure(partitions.TENS, day)
        cursor.execute(
            f"INSERT INTO telemetry_signal_ten ({columns}) SELECT {columns} FROM telemetry_signal_minute "
            "WHERE extract(minute from at)::int % 10 = 0 ORDER BY at"
        )
        cursor.execute("VACUUM ANALYZE telemetry_signal_ten")


def row_text(draw: random.Random) -> str:
    """The JSON columns of a minute of two busy engines with every metric that the simulator's page has."""
    from apps.pools.domain.facts import latency_grid
    from apps.telemetry.domain.engine import COUNTERS, FAMILIES, GAUGES
    from apps.telemetry.domain.histogram import Histogram
    from apps.telemetry.domain.signals import Signals

    _, grid = latency_grid()
    edges = [0.0, *grid]
    centres = {"ttft": 0.2, "itl": 0.02, "tpot": 0.02, "e2e": 5.0, "queue": 0.01, "prefill": 0.15, "decode": 4.0}
    counts = {name: float(draw.randrange(10_000)) if n % 2 else 0.0 for n, name in enumerate(COUNTERS)}
    histograms = {}
    for family in FAMILIES:
        centre = centres.get(family, 1.0)
        seen: dict[tuple[float, float], float] = {}
        for _ in range(300):
            value = draw.lognormvariate(0, 0.6) * centre
            index = next((n for n, edge in enumerate(edges) if value <= edge), len(edges) - 1)
            bucket = (edges[max(0, index - 1)], edges[index])
            seen[bucket] = seen.get(bucket, 0.0) + 1
        histograms[family] = Histogram(seen)
        counts[f"{family}_sum"] = round(draw.random() * 1000, 6)
    counts |= {"accelerator_seconds": 120.0, "cost:USD": 0.1333333333333333}
    row = Signals(
        at=0,
        seconds=60,
        counts=counts,
        rates={name: count / 60 for name, count in counts.items() if ":" not in name and "accelerator" not in name},
        histograms=histograms,
        gauges={**{name: round(draw.random(), 4) for name in GAUGES}, "accelerators": 2, "cost_per_hour:USD": 8.0},
        replicas={"desired": 2, "ready": 2, "starting": 0, "terminating": 0, "awake": 2, "asleep": 0, "discarded": 0},
    ).to_json()
    return "\t".join(json.dumps(row[column]) for column in _COLUMNS)


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
    spec = {"model": "m", "cluster": "c", "variants": [{"name": "h200"}]}
    for n, uid in enumerate(chosen):
        Pool.objects.create(
            uid=uid, team="default", name=f"p{n}", namespace="serving", spec=spec, created_at=now, updated_at=now
        )
    client = Client(headers={"Authorization": f"Bearer {token}"})
    base = "/api/v1/teams/default/pools"
    names = [entry["name"] for entry in client.get(f"{base}/p0/panels").json()["items"]]
    query = urlencode({"from": now.timestamp() - 86400, "to": now.timestamp()})
    client.get(f"{base}/p0/panels/{names[0]}?{query}")  # the first answer also imports
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
    from tests.support.engines import free_port

    address = f"127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [binary, f"--config.file={config}", f"--storage.tsdb.path={data}", f"--web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
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
