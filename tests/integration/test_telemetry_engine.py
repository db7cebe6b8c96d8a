"""Telemetry against a real engine simulator: what clients sent and saw is what signals say."""

from __future__ import annotations

import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from apps.core import clock
from apps.telemetry import selectors
from apps.telemetry.collect import run_tick
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.models import Signal
from apps.telemetry.scrape import Target
from apps.telemetry.targets import PoolTargets
from tests.support.engines import MODEL, EngineProcess, run_engine

pytestmark = pytest.mark.django_db

_PREFIX = "Each of these words stands in every prompt of this test, so that its blocks are in the cache. " * 8


def _tick(pool: uuid.UUID, *targets: Target) -> None:
    replicas = {"": {"desired": len(targets), "ready": len(targets)}}
    assert run_tick(lambda: [PoolTargets(pool, ("v",), targets, replicas)]) is not None


def _complete(engine: EngineProcess, question: str) -> dict[str, int]:
    body = {"model": MODEL, "prompt": _PREFIX + question, "max_tokens": 4}
    return dict(engine.post("/v1/completions", body).json()["usage"])


def test_signals_say_what_clients_saw(tmp_path: Path) -> None:
    pool = uuid.uuid4()
    with run_engine(tmp_path) as engine:
        target = Target("pod-1", "chat-v-0", "v", engine.url + "/metrics")
        start = clock.now()
        with clock.frozen(start):
            _tick(pool, target)
        usages = [_complete(engine, f"question {number}") for number in range(6)]
        with clock.frozen(start + timedelta(seconds=10)):
            _tick(pool, target)
        row = Signal.objects.filter(pool=pool, variant="").latest("at")
        assert (row.scraped, row.reason) == (1, "")
        assert row.counts["requests"] == 6
        assert row.counts["errors"] == 0
        assert row.counts["prompt_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
        assert row.counts["generation_tokens"] == sum(usage["completion_tokens"] for usage in usages)
        sources = {name: row.counts[f"source_{name}"] for name in ("computed", "device", "host", "disk", "p2p")}
        assert sum(sources.values()) == row.counts["prompt_tokens"]
        assert sources["device"] == row.counts["cached_tokens"] > 0
        assert Histogram.from_json(row.histograms["ttft"]).total == 6
        assert Histogram.from_json(row.histograms["itl"]).total == 6 * 3
        # the first prompt found an empty cache, the others the shared prefix
        with clock.frozen(start + timedelta(seconds=10)):
            hit_rate = selectors.summaries([pool])[pool].figures["hit_rate"]
        assert 0.5 < hit_rate.value < 1

    with clock.frozen(start + timedelta(seconds=20)):
        _tick(pool, target)
    row = Signal.objects.filter(pool=pool, variant="").latest("at")
    assert (row.targets, row.scraped, row.counts) == (1, 0, {})
    assert row.reason.startswith("chat-v-0 cannot be reached for its metrics")
