"""Rows that are no longer new stand in blocks, and nobody who reads them can tell."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.core import clock
from apps.core.domain.access import Role
from apps.pools.models import Pool
from apps.telemetry import backfill, packing, partitions, rollups, rows, selectors, services
from apps.telemetry.domain.blocks import pack
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import (
    BlockHour,
    BlockMinute,
    BlockTen,
    BlockTick,
    Progress,
    Signal,
    SignalHour,
    SignalMinute,
    SignalTen,
)
from tests.support.people import Api, api_of, person
from tests.support.signals import store_minutes

pytestmark = pytest.mark.django_db

START = datetime(2026, 11, 20, 15, tzinfo=UTC)
# some hours around a midnight, up to a minute that no span ends at
LENGTH = 10 * 60 + 7
NOW = START + timedelta(minutes=LENGTH + 2)


def minute(number: int) -> Signals:
    buckets = {(0.1, 0.25): 1.0 + number % 7, (0.25, 0.5): number % 3, (0.5, float("inf")): number % 60 == 0}
    return Signals(
        at=(START + timedelta(minutes=number + 1)).timestamp(),
        seconds=60.0,
        targets=2,
        scraped=2 if number % 100 else 1,
        reason="" if number % 100 else "chat-1 did not give its metrics within 3 s.",
        counts={
            "requests": float(number),
            "prompt_tokens": 1000.0,
            "cached_tokens": number % 900,
            "ttft_sum": number / 7,
        },
        histograms={"ttft": Histogram({bucket: float(count) for bucket, count in buckets.items() if count})},
        gauges={"running": number / 11, "kv_max": 0.5},
        replicas={"desired": 2, "ready": 2},
        sources={"gateway": {"targets": 1, "scraped": 1, "reason": ""}},
    )


@pytest.fixture
def pools() -> list[Pool]:
    """Two pools with minutes, tens and hours."""
    made = []
    for name in ("chat", "code"):
        spec = {"model": "m", "cluster": "c", "variants": [{"name": "fast"}]}
        pool = Pool.objects.create(
            uid=uuid.uuid4(), team="default", name=name, spec=spec, namespace="serving", created_at=NOW, updated_at=NOW
        )
        store_minutes(pool.uid, [minute(n) for n in range(LENGTH)])
        store_minutes(pool.uid, [minute(n) for n in range(LENGTH)], variant="fast")
        made.append(pool)
    with clock.frozen(NOW):
        rollups.roll_up_longer_all()
    return made


def read(pool: Pool, *, step: float, variant: str = "") -> list[Signals]:
    columns = ["counts", "histograms", "gauges", "replicas", "sources"]
    return selectors.signals_of(pool.uid, start=START, end=NOW, step=step, columns=columns, variant=variant)


def nearly(found: list[Signals]) -> list[Any]:
    return [
        (
            replace(row, counts={}, rates={}, gauges={}),
            row.counts["requests"],
            pytest.approx(row.counts["ttft_sum"], rel=1.6e-5),
            pytest.approx(row.gauges["running"], rel=1.6e-5),
        )
        for row in found
    ]


def test_what_is_packed_reads_as_before(pools: list[Pool]) -> None:
    with clock.frozen(NOW):
        before = {
            (p.uid, step, v): read(p, step=step, variant=v)
            for p in pools
            for step in (60, 600, 3600)
            for v in ("", "fast")
        }
        assert packing.pack_old() > 0
        for (uid, step, variant), found in before.items():
            pool = next(pool for pool in pools if pool.uid == uid)
            assert nearly(read(pool, step=step, variant=variant)) == nearly(found), (step, variant)
        many = list(rows.fetch(partitions.MINUTES.name, [p.uid for p in pools], after=START, until=NOW, variant=""))
        assert len(many) == 2 * LENGTH
        assert [row.at for _, _, row in many] == sorted(row.at for _, _, row in many)
        # minutes of whole four hours are gone, those of the last ones are rows
        assert SignalMinute.objects.filter(variant="").count() == 2 * (LENGTH - 9 * 60)
        assert BlockMinute.objects.count() == 2 * 3
        assert (BlockTen.objects.count(), SignalTen.objects.filter(variant="").count()) == (2 * 3, 2 * 6)
        # hours are packed when four days of them are over
        assert (BlockHour.objects.count(), SignalHour.objects.filter(variant="").count()) == (0, 2 * 10)
        assert packing.pack_old() == 0


@pytest.fixture
def ticked() -> Pool:
    """A pool with ticks of three hours and some minutes (one a minute is enough), merged into minutes."""
    spec = {"model": "m", "cluster": "c", "variants": [{"name": "fast"}]}
    pool = Pool.objects.create(
        uid=uuid.uuid4(), team="default", name="chat", spec=spec, namespace="serving", created_at=NOW, updated_at=NOW
    )
    ticks = [
        replace(minute(n), at=(START + timedelta(seconds=60 * (n + 1))).timestamp(), seconds=60.0)
        for n in range(3 * 60 + 5)
    ]
    services.import_rows("raw", [(pool.uid, v, row) for row in ticks for v in ("", "fast")], until=None)
    with clock.frozen(AFTER):
        rollups.roll_up_minutes()
    return pool


AFTER = START + timedelta(hours=3, minutes=5)


def test_ticks_that_are_packed_read_as_before(ticked: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def ticks(variant: str = "", **span: datetime) -> list[Signals]:
        with clock.frozen(AFTER):
            asked = {"start": START, "end": AFTER, **span}
            return selectors.signals_of(
                ticked.uid, step=10.0, columns=["counts", "histograms", "gauges", "sources"], variant=variant, **asked
            )

    some = {"start": START + timedelta(minutes=37), "end": START + timedelta(minutes=125)}
    before = {(variant, part): ticks(variant, **(some if part else {})) for variant in ("", "fast") for part in (0, 1)}
    assert len(before["", 0]) == 3 * 60 + 5
    # a crash between block and rows leaves what was there
    with monkeypatch.context() as patched, clock.frozen(AFTER):
        patched.setattr(packing, "pack", lambda rows: b"".join([pack(rows), *crash()]))
        with pytest.raises(ZeroDivisionError):
            packing.pack_old()
    assert ticks() == before["", 0]
    assert not BlockTick.objects.exists()
    with clock.frozen(AFTER):
        assert packing.pack_old() > 0
        assert packing.pack_old() == 0
    # an hour is packed when it has been over for an hour, and its partition of rows is gone as a whole
    assert [block.start for block in BlockTick.objects.order_by("start")] == [START, START + timedelta(hours=1)]
    assert Signal.objects.filter(pool=ticked.uid, variant="").count() == 60 + 5
    assert "telemetry_signal_2026112015" not in partitions._partitions(partitions.RAW)
    for (variant, part), found in before.items():
        assert nearly(ticks(variant, **(some if part else {}))) == nearly(found), (variant, part)
    with clock.frozen(AFTER + timedelta(hours=8)):
        services.retire()
    assert not BlockTick.objects.exists()


def crash() -> list[bytes]:
    raise ZeroDivisionError


def test_ticks_that_no_minute_has_been_made_of_stay_rows(ticked: Pool) -> None:
    Progress.objects.update(minutes_until=START + timedelta(minutes=90))
    with clock.frozen(AFTER):
        packing.pack_old()
    assert [block.start for block in BlockTick.objects.all()] == [START]
    assert Signal.objects.filter(pool=ticked.uid, at__gt=START + timedelta(hours=1), variant="").count() == 2 * 60 + 5


def test_empty_partitions_of_rows_go(pools: list[Pool]) -> None:
    assert "telemetry_signal_minute_20261120" in partitions._partitions(partitions.MINUTES)
    with clock.frozen(NOW):
        packing.pack_old()
    # other tests may have made later ones
    left = partitions._partitions(partitions.MINUTES)
    assert left[:2] == ["telemetry_signal_minute_20261121", "telemetry_signal_minute_20261122"]
    with clock.frozen(NOW + timedelta(days=16)):
        services.retire()
    assert not BlockMinute.objects.exists()


def test_what_comes_late_is_packed_into_its_block(pools: list[Pool]) -> None:
    chat = pools[0]
    at = START + timedelta(minutes=30)
    with clock.frozen(NOW):
        packing.pack_old()
        late = Signals(at=at.timestamp(), seconds=60.0, counts={"requests": 7.0})
        partitions.ensure(partitions.MINUTES, at)
        services.import_rows("minute", [(chat.uid, "", late)], until=None)
        for _ in ("as a row", "packed"):
            found = {row.at: row for row in read(chat, step=60)}
            assert len(found) == LENGTH
            assert found[at.timestamp()].counts == {"requests": 7.0}
            packing.pack_old()
        assert not SignalMinute.objects.filter(at=at).exists()
        assert BlockMinute.objects.count() == 2 * 3


def test_a_minute_that_a_tick_saw_is_not_filled_again(pools: list[Pool]) -> None:
    chat = pools[0]
    with clock.frozen(NOW):
        packing.pack_old()
        filled = Signals(at=(START + timedelta(minutes=30)).timestamp(), seconds=60.0, counts={"requests": 999.0})
        assert backfill._store({(chat.uid, ""): [filled]}, after=START) == 0
        assert read(chat, step=60)[29].counts["requests"] == 29.0


def test_tens_that_are_merged_anew_are_made_of_packed_minutes(pools: list[Pool]) -> None:
    chat = pools[0]
    with clock.frozen(NOW):
        packing.pack_old()
        before = read(chat, step=600)
        moved = START + timedelta(hours=2)
        Progress.objects.update(tens_until=moved, hours_until=moved)
        for _ in range(6):
            rollups.roll_up_longer()
        assert nearly(read(chat, step=600)) == nearly(before)


def test_a_crash_leaves_the_rows_or_the_block(pools: list[Pool], monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(rows: object) -> bytes:
        raise MemoryError

    with clock.frozen(NOW):
        monkeypatch.setattr(packing, "pack", breaks)
        with pytest.raises(MemoryError):
            packing.pack_old()
        monkeypatch.undo()
        assert not BlockMinute.objects.exists()
        assert len(read(pools[0], step=60)) == LENGTH
        assert packing.pack_old() > 0
        assert len(read(pools[0], step=60)) == LENGTH


def test_charts_of_packed_rows_over_rest(pools: list[Pool]) -> None:
    api: Api = api_of(person("ada", default=Role.VIEWER))
    query = f"from={START.timestamp()}&to={NOW.timestamp()}"
    with clock.frozen(NOW):
        base = "teams/default/pools/chat/panels"
        paths = [
            f"{base}/{name}?{query}&{how}"
            for name in ("ttft", "requests", "hit_rate", "queue", "replicas", "gateway_ttft")
            for how in ("step=120", "step=600&variant=fast")
        ]
        before = [api.get(path) for path in paths]
        drawn_of = [
            sum(value is not None for line in chart["series"] for _, value in line["points"]) for chart in before
        ]
        assert all(drawn_of[:10])
        assert packing.pack_old() > 0
        for path, drawn in zip(paths, before, strict=True):
            again = api.get(path)
            assert again["state"] == drawn["state"], path
            for old, new in zip(drawn["series"], again["series"], strict=True):
                for (time, value), (same, other) in zip(old["points"], new["points"], strict=True):
                    assert (time, other) == (same, value if value is None else pytest.approx(value, rel=2e-5))
