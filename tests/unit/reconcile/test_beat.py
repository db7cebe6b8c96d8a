"""The beat schedule: two beats are harmless, and one that was away brings no storm when it is back."""

from __future__ import annotations

import pytest

from controlplane.celery import app


@pytest.mark.parametrize("name", sorted(app.conf.beat_schedule))
def test_a_tick_is_forgotten_before_the_next_one_comes(name: str) -> None:
    entry = app.conf.beat_schedule[name]
    assert entry["options"]["expires"] <= entry["schedule"], "ticks that nobody worked on do not pile up"
