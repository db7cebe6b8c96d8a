"""What people read: numbers that can be pictured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.offload.domain.sentences import fewer
from tests.unit.offload.pools import POLICY

# a replica works at 70 % of its time within the SLO, and costs 3.20 USD an hour
WHOLE = 3600 * 0.7


@pytest.mark.parametrize(
    ("replicas", "text"),
    [
        (12.3, "12 replicas fewer at the same SLO"),
        (1.04, "1 replica fewer at the same SLO"),
        (0.9, "0.9 replicas fewer at the same SLO"),
        (-0.25, "0.2 replicas more at the same SLO"),
        (0.057, "144 s of a replica's time an hour saved (0.13 USD/h)"),
        (-0.01, "25 s of a replica's time an hour lost (0.02 USD/h)"),
        (0.0008, "2 s of a replica's time an hour saved"),
        (0.0, "as many replicas"),
    ],
)
def test_what_is_saved_is_told_as_replicas_or_as_time_and_money(replicas: float, text: str) -> None:
    assert fewer(replicas * WHOLE, replace(POLICY, price=3.2, usable=0.7)) == text
