"""What a tick stores of thousands of pools: one statement for each table, many rows one text on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from apps.core import prepared

__all__ = ["keep", "lengthen", "retell"]

# of one statement
_ROWS_AT_ONCE = 500

_KEEP = """
INSERT INTO autoscaling_poolstate (pool, at, row_at, state, starting, ready, decision, key)
SELECT pool, at, row_at, state, starting, ready, decision, key FROM jsonb_to_recordset(%s::jsonb) AS row(
    pool uuid, at timestamptz, row_at timestamptz, state jsonb, starting jsonb, ready jsonb, decision bigint, key text
)
ON CONFLICT (pool) DO UPDATE SET at = EXCLUDED.at, row_at = EXCLUDED.row_at, state = EXCLUDED.state,
    starting = EXCLUDED.starting, ready = EXCLUDED.ready, decision = EXCLUDED.decision, key = EXCLUDED.key
"""

_LENGTHEN = "UPDATE autoscaling_decision SET last_at = %s, count = count + 1 WHERE id = ANY(%s)"

_RETELL = """
UPDATE autoscaling_decision d SET before = r.before, targets = r.targets, cost = r.cost, currency = r.currency,
    sentence = r.sentence, actuation = r.actuation, record = r.record, policy = r.policy, signals = r.signals,
    state = r.state, last_at = r.last_at, count = d.count + 1
FROM jsonb_to_recordset(%s::jsonb) AS r(
    id bigint, before jsonb, targets jsonb, cost double precision, currency text, sentence text, actuation text,
    record jsonb, policy jsonb, signals jsonb, state jsonb, last_at timestamptz
) WHERE d.id = r.id
"""


def keep(states: Sequence[Mapping[str, Any]]) -> None:
    """The memories of pools, as columns of PoolState; each takes the place of the one before."""
    _send(_KEEP, states)


def lengthen(runs: Sequence[int], now: datetime) -> None:
    """Say the same again: one more in each of these runs."""
    if runs:
        with prepared.cursor() as cursor:
            cursor.execute(_LENGTHEN, [now, list(runs)])


def retell(decisions: Sequence[Mapping[str, Any]]) -> None:
    """As `lengthen`, and what the runs rest on now; columns of Decision, `last_at` is now."""
    _send(_RETELL, decisions)


def _send(statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = orjson.dumps(rows[first : first + _ROWS_AT_ONCE])
        with prepared.cursor() as cursor:
            cursor.execute(statement, [some.decode()])
