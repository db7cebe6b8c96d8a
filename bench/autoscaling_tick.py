"""A whole tick of the autoscaler as a worker does it: Postgres read, policies, decisions, Postgres written.

`--pools` pools in a database of their own, each with its load, its SLO and its telemetry; time goes on by ten seconds a
tick and replicas become what was asked for. After a warm-up every tick is timed by the worker's processor time and that
of its session of Postgres, and by the stage of the tick. Limit: the ten seconds in which the next tick comes, for what
one worker process is given; `pools_a_worker` is how many fit. Peer: the decisions alone (`decide_many`) on the very
same pools, which `bench/autoscaling_speed` times for 10,000 of them.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.common import finish

TICK = 10.0
START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_LATENCIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
_LENGTHS = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--pools", type=int, default=500)
    options.add_argument(
        "--warm", type=int, default=36, help="ticks before the timed ones: the window speaks from 30 on"
    )
    options.add_argument("--ticks", type=int, default=12)
    options.add_argument("--profile", help="where cProfile's figures of the timed ticks go")
    chosen = options.parse_args()
    with ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lamplight-bench-")))
        base.chmod(0o755)
        _begin(stack, base)
        figures = play(chosen.pools, chosen.warm, chosen.ticks, chosen.profile)
    share = figures["tick_cpu_s"] / figures["decide_cpu_s"]
    print(
        f"{chosen.pools} pools: {figures['tick_cpu_s']:.2f} s of a worker and {figures['database_cpu_s']:.2f} s of "
        f"Postgres a tick, {figures['decide_cpu_s']:.3f} s of it decisions ({figures['stored']:.0f} new rows, "
        f"{figures['retold']:.0f} told anew); a worker process has time for {figures['pools_a_worker']:.0f} pools"
    )
    finish(
        "autoscaling_tick",
        figures=figures,
        ratios={"tick_of_limit": round(figures["tick_s"] / TICK, 3), "tick_to_decisions": round(share, 2)},
        peer="the decisions alone, of the same pools; limit: the next tick, ten seconds later",
        ok=figures["tick_s"] <= TICK,
    )


def _begin(stack: ExitStack, base: Path) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "controlplane.settings.test"
    os.environ["LAMPLIGHT_TEST_DIR"] = str(base / "django")
    os.environ["PGAPPNAME"] = "bench"
    (base / "django").mkdir(mode=0o755)
    import django

    from tests.support.servers import run_postgres, run_valkey

    os.environ["DATABASE_URL"] = stack.enter_context(run_postgres(base / "pg", own="DATABASE_URL" not in os.environ))
    os.environ["REDIS_URL"] = stack.enter_context(run_valkey(base / "valkey", own="REDIS_URL" not in os.environ))
    django.setup()
    from django.core.management import call_command

    import controlplane.celery  # noqa: F401  (wake-ups are sent through this app)

    call_command("migrate", verbosity=0)


def play(count: int, warm: int, ticks: int, profile: str | None) -> dict[str, Any]:
    """Figures of the timed ticks: seconds a tick, medians."""
    from apps.core import clock
    from apps.core.memory import settle

    fleet = Fleet(count)
    for n in range(warm):
        fleet.tick(n)
    settle()
    stages: list[dict[str, float]] = []
    profiler = cProfile.Profile() if profile else None
    for n in range(warm, warm + ticks):
        fleet.serve(n)
        with clock.frozen(fleet.at(n) + timedelta(seconds=2)), staged() as spent:
            database = _database_seconds()
            if profiler:
                profiler.enable()
            wall, cpu = time.perf_counter(), time.process_time()
            worked = fleet.decide()
            spent["tick_s"], spent["tick_cpu_s"] = time.perf_counter() - wall, time.process_time() - cpu
            if profiler:
                profiler.disable()
            spent["database_cpu_s"] = _database_seconds() - database
        assert worked == count, f"{worked} of {count} pools were decided"
        spent["stored"], spent["retold"] = fleet.stored()
        stages.append(spent)
    if profiler and profile:
        profiler.dump_stats(profile)
    figures = {name: round(statistics.median(each[name] for each in stages), 4) for name in stages[0]}
    return {"pools": count, **figures, "pools_a_worker": round(count * TICK / figures["tick_s"])}


@contextmanager
def staged() -> Iterator[dict[str, float]]:
    """Processor seconds of the stages of ticks within the block, by name."""
    from apps.autoscaling import services, ticking

    spent: dict[str, float] = {}

    def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **named: Any) -> Any:
            began = time.process_time()
            try:
                return call(*args, **named)
            finally:
                spent[name] += time.process_time() - began

        return run

    places = [
        (ticking, "_entries", "read_cpu_s"),
        (ticking, "decide_many", "decide_cpu_s"),
        (ticking, "record_starts", "starts_cpu_s"),
        (services, "write_targets", "targets_cpu_s"),
        (services, "record", "record_cpu_s"),
    ]
    before = [(place, name, getattr(place, name)) for place, name, _ in places]
    for place, name, figure in places:
        setattr(place, name, timed(figure, getattr(place, name)))
        spent[figure] = 0.0
    try:
        yield spent
    finally:
        for place, name, call in before:
            setattr(place, name, call)


def _database_seconds() -> float:
    """Processor seconds of this process's session of Postgres so far."""
    from django.db import connection

    connection.ensure_connection()
    assert connection.connection is not None
    with open(f"/proc/{connection.connection.info.backend_pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Fleet:
    """Pools whose load wanders, and whose replicas are ready two ticks after they were asked for."""

    def __init__(self, count: int) -> None:
        from apps.pools.models import Pool

        self._draw = random.Random(5)
        _declare_what_pools_stand_on()
        self.pools = Pool.objects.bulk_create([_pool(n, self._draw) for n in range(count)], batch_size=500)
        _declare_slos(self.pools)
        self._base = [self._draw.uniform(1, 40) for _ in self.pools]
        self._ready = {pool.uid: [1, 1, 1] for pool in self.pools}
        self._seen = (0, {})

    def at(self, n: int) -> datetime:
        return START + timedelta(seconds=TICK * n)

    def tick(self, n: int) -> None:
        from apps.core import clock

        self.serve(n)
        with clock.frozen(self.at(n) + timedelta(seconds=2)):
            self.decide()

    def serve(self, n: int) -> None:
        """Ten seconds of load, told by telemetry."""
        from apps.core import clock
        from apps.telemetry.services import Tick, record_tick

        wanted = _targets()
        rows: dict[Any, Any] = {}
        for at, pool in enumerate(self.pools):
            line = self._ready[pool.uid]
            line.append(wanted.get(pool.uid, 1))
            self._ready[pool.uid] = line = line[-3:]
            self._base[at] *= self._draw.uniform(0.98, 1.02)
            row = _row(
                self.at(n).timestamp(), self._base[at] * self._draw.uniform(0.9, 1.1), line[0], line[2], self._draw
            )
            rows[(pool.uid, "")] = rows[(pool.uid, "main")] = row
        with clock.frozen(self.at(n)):
            record_tick(Tick(at=self.at(n), rows=rows, totals={}))

    def decide(self) -> int | None:
        from apps.autoscaling import ticking

        return ticking.run_tick()

    def stored(self) -> tuple[int, int]:
        """Rows of decisions that are new since the last call, and of those before that were told anew."""
        from apps.autoscaling.models import Decision

        last, told = self._seen
        now = dict(Decision.objects.values_list("id", "record__at"))
        self._seen = (max(now), now)
        return sum(each > last for each in now), sum(now[each] != at for each, at in told.items() if each in now)


def _targets() -> dict[Any, int]:
    from apps.pools.models import ReplicaTarget

    return dict(ReplicaTarget.objects.values_list("pool_id", "desired"))


def _declare_what_pools_stand_on() -> None:
    from tests.support.pools import declare

    declare({"kind": "Model", "metadata": {"name": "m"}, "spec": {"source": "hf://o/m", "servedName": "m"}})


def _declare_slos(pools: Sequence[Any]) -> None:
    from tests.support.pools import declare

    objectives = [
        {"metric": metric, "threshold": within, "fraction": "95%"}
        for metric, within in (("ttft", "2s"), ("tpot", "60ms"))
    ]
    for first in range(0, len(pools), 100):
        declare(
            *(
                {
                    "kind": "SLO",
                    "metadata": {"name": pool.name},
                    "spec": {"targetRef": {"kind": "Pool", "name": pool.name}, "objectives": objectives},
                }
                for pool in pools[first : first + 100]
            )
        )


def _pool(n: int, draw: random.Random) -> Any:
    from apps.pools.models import Pool

    variant = {"name": "main", "accelerator": "nvidia-l40s", "replicas": {"min": 1, "max": draw.randint(5, 60)}}
    spec = {"model": "m", "cluster": "c", "namespace": "n", "variants": [variant], "autoscaling": {"mode": "active"}}
    return Pool(team="default", name=f"pool-{n}", spec=spec, created_at=START, updated_at=START)


def _row(at: float, rate: float, ready: int, desired: int, draw: random.Random) -> Any:
    from apps.telemetry.domain.histogram import Histogram
    from apps.telemetry.domain.signals import Signals

    n = rate * TICK
    starting = max(desired - ready, 0)

    def seen(edges: tuple[float, ...], count: float) -> Histogram:
        lows = (0.0, *edges[:-1])
        return Histogram(
            {(low, high): count * draw.uniform(0.5, 1.5) / len(edges) for low, high in zip(lows, edges, strict=True)}
        )

    return Signals(
        at=at,
        seconds=TICK,
        targets=ready,
        scraped=ready,
        replicas={"ready": ready, "starting": starting, "terminating": 0, "desired": desired},
        counts={
            "requests": n,
            "prompt_tokens": n * 1100,
            "cached_tokens": n * 100,
            "generation_tokens": n * 200,
            "gateway.requests": n,
        },
        rates={"requests": rate},
        gauges={"running": rate * 3, "waiting": 0.0, "kv_mean": 0.4, "kv_capacity_tokens": 190_000.0 * ready},
        histograms={
            "prompt_length": seen(_LENGTHS, n),
            "generation_length": seen(_LENGTHS, n),
            "ttft": seen(_LATENCIES, n),
            "tpot": seen(_LATENCIES[:3], n),
            "itl": seen(_LATENCIES[:3], n * 200),
        },
    )


if __name__ == "__main__":
    main()
