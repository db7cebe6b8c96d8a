"""The beat schedule: two beats are harmless, and one that was away brings no storm when it is back."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery.beat import ScheduleEntry, Scheduler
from django.conf import settings

from controlplane.celery import _sharded, app


@pytest.mark.parametrize("name", sorted(app.conf.beat_schedule))
def test_a_tick_is_forgotten_before_the_next_one_comes(name: str) -> None:
    entry = app.conf.beat_schedule[name]
    assert entry["options"]["expires"] <= entry["schedule"], "ticks that nobody worked on do not pile up"


def test_ticks_that_workers_share_come_for_every_shard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "AUTOSCALING_SHARDS", 3)
    entries = _sharded("autoscaling-tick", "apps.autoscaling.tasks.tick", 5.0).values()
    assert [entry["kwargs"] for entry in entries] == [{"shard": n, "shards": 3} for n in range(3)]


class Beat(Scheduler):
    """Celery's own, on a clock that the test moves; what it would send is kept."""

    producer = None

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(app=app)

    def apply_async(self, entry: ScheduleEntry, *_: Any, **__: Any) -> None:
        self.sent.append(entry.name)

    def send_all_due(self) -> float:
        """Seconds until it wants to be asked again."""
        sent = -1
        while sent < len(self.sent):
            sent = len(self.sent)
            wait = self.tick()
        return float(wait)


def test_two_beats_of_which_one_was_away_for_an_hour_send_what_is_due_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
    monkeypatch.setattr(app, "now", lambda: now)
    beats = [Beat(), Beat()]

    def run(seconds: float, *running: Beat) -> Counter[str]:
        """What these beats send in that time."""
        nonlocal now
        for beat in running:
            beat.sent.clear()
        end = now + timedelta(seconds=seconds)
        while now < end:
            now += timedelta(seconds=max(0.05, min(beat.send_all_due() for beat in running)))
        return Counter(name for beat in running for name in beat.sent)

    run(60, *beats)
    # the one sleeps for an hour, of which the other's last minute is looked at; what it sends then is twice that of one
    now += timedelta(hours=1)
    run(60, beats[0])
    back = run(60, *beats)
    schedule = {name: float(entry["schedule"]) for name, entry in app.conf.beat_schedule.items()}
    assert set(back) >= {name for name, every in schedule.items() if every <= 60}
    assert {name: count for name, count in back.items() if count > 2 * (60 / schedule[name] + 1)} == {}
