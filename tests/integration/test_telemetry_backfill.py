"""Minutes that no tick saw, out of a real Prometheus that did."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from apps.clusters.models import Cluster
from apps.core import clock
from apps.pools.models import Pool
from apps.telemetry import backfill, rollups, services
from apps.telemetry.models import Outage, Progress, SignalHour, SignalMinute
from tests.support.prometheus import prometheus_binary, run_prometheus

pytestmark = pytest.mark.django_db

# a whole hour of yesterday, so that Prometheus has it in a finished block
START = (datetime.now(UTC) - timedelta(hours=6)).replace(minute=0, second=0, microsecond=0)
RESTART = 20


def served(pod: int, minute: int) -> int:
    """Requests that a pod has finished when `minute` ends: five, and seven, a minute; the second restarts once."""
    if pod == 0:
        return 1_000_000 + 5 * minute
    return 7 * minute if minute < RESTART else 7 * (minute - RESTART)


def history() -> str:
    """An hour of two engines and what is no engine of ours, sampled every 30 s, in OpenMetrics."""
    families: dict[str, list[str]] = {}
    for pod, name in enumerate(("chat-fast-6d5f7c9b8d-abcde", "chat-slow-5c9d8f7b6-fghij", "other-fast-1-abcde")):
        for half in range(121):
            minute, at = half / 2, START.timestamp() + half * 30
            labels = f'namespace="serving",pod="{name}",job="pods"'
            born = START.timestamp() - 9000 if pod != 1 or minute < RESTART else START.timestamp() + RESTART * 60
            total = served(min(pod, 1), int(minute))
            families.setdefault("# TYPE process_start_time_seconds gauge", []).append(
                f"process_start_time_seconds{{{labels}}} {born} {at:.0f}"
            )
            families.setdefault("# TYPE vllm:request_success counter", []).append(
                f'vllm:request_success_total{{{labels},engine="0",finished_reason="stop"}} {total} {at:.0f}'
            )
            families.setdefault("# TYPE vllm:num_requests_running gauge", []).append(
                f'vllm:num_requests_running{{{labels},engine="0"}} 3 {at:.0f}'
            )
    return "\n".join(line for head, lines in families.items() for line in (head, *lines)) + "\n# EOF\n"


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("prometheus")
    promtool = Path(prometheus_binary()).with_name("promtool")
    if not promtool.exists():
        pytest.skip(f"{promtool} is not there: it comes with Prometheus")
    page = directory / "history.txt"
    page.write_text(history())
    subprocess.run(
        [str(promtool), "tsdb", "create-blocks-from", "openmetrics", str(page), str(directory / "data")],
        check=True,
        capture_output=True,
    )
    with run_prometheus(directory, []) as running:
        yield running.url


@pytest.fixture
def pool(url: str) -> Pool:
    cluster = Cluster.objects.create(
        team="platform",
        name="east",
        spec={"credentials": {"inCluster": True}, "prometheus": {"url": url}},
        created_at=START,
        updated_at=START,
    )
    return Pool.objects.create(
        team="default",
        name="chat",
        namespace="serving",
        cluster_uid=cluster.uid,
        spec={"model": "m", "cluster": "east", "variants": [{"name": "fast"}, {"name": "slow"}]},
        created_at=START,
        updated_at=START,
    )


def rows(pool: Pool, variant: str = "") -> list[SignalMinute]:
    return list(SignalMinute.objects.filter(pool=pool.uid, variant=variant).order_by("at"))


def test_an_outage_is_filled_minute_by_minute(pool: Pool) -> None:
    since, until = START + timedelta(minutes=4, seconds=30), START + timedelta(minutes=54, seconds=10)
    Progress.objects.create(id=1, minutes_until=START + timedelta(minutes=60), hours_until=START + timedelta(hours=1))
    services.note_outage(since, until)
    assert backfill.fill() == 3 * 50
    whole = rows(pool)
    assert [row.at for row in whole] == [START + timedelta(minutes=n) for n in range(5, 55)]
    # no spike: neither from the first page of a long life nor from the restart
    assert {row.counts["requests"] for row in rows(pool, "fast")} == {5}
    assert {row.counts["requests"] for row in rows(pool, "slow")} <= {0, 7}
    assert sum(row.counts["requests"] for row in rows(pool, "slow")) == 7 * 49
    assert all(row.gauges["running"] == 6 for row in whole)
    assert whole[0].sources["engine"] == {"kind": "prometheus", "backfilled": True}
    outage = Outage.objects.get()
    assert outage.filled_at is not None
    assert backfill.fill() == 0
    # the hour was merged without these minutes: it is merged anew
    rollups.roll_up_longer()
    hour = SignalHour.objects.get(pool=pool.uid, variant="fast")
    assert hour.counts["requests"] == 5 * 50


def test_a_prometheus_that_is_away_is_asked_again(pool: Pool) -> None:
    Cluster.objects.update(spec={"credentials": {"inCluster": True}, "prometheus": {"url": "http://127.0.0.1:9"}})
    Progress.objects.create(id=1)
    services.note_outage(START, START + timedelta(minutes=10))
    assert backfill.fill() == 0
    outage = Outage.objects.get()
    assert (outage.filled_at, outage.attempts) == (None, 1)
    assert outage.problem == "Prometheus of cluster east cannot be reached: the connection was refused."
    with clock.frozen(START + timedelta(days=15)):
        services.retire()
    assert not Outage.objects.exists()
