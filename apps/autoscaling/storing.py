"""What a tick stores of thousands of pools: one statement for each table, many rows one text on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from apps.core import prepared

__all__ = ["Run", "create", "keep", "lengthen", "retell", "runs"]

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

_RUNS = "SELECT id, first_at, (record->>'at')::float8 FROM autoscaling_decision WHERE id = ANY(%s::bigint[])"

# in the order of the rows
_CREATE = """
INSERT INTO autoscaling_decision (pool, team, name, mode, first_at, last_at, count, verb, binding, before, targets,
    cost, currency, sentence, actuation, record, policy, signals, state)
SELECT r.pool, r.team, r.name, r.mode, r.last_at, r.last_at, 1, r.verb, r.binding, r.before, r.targets, r.cost,
    r.currency, r.sentence, r.actuation, r.record, r.policy, r.signals, r.state
FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS e(row, place), jsonb_to_record(e.row) AS r(
    pool uuid, team text, name text, mode text, verb text, binding text, before jsonb, targets jsonb,
    cost double precision, currency text, sentence text, actuation text, record jsonb, policy jsonb, signals jsonb,
    state jsonb, last_at timestamptz
) ORDER BY e.place RETURNING id
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


@dataclass(frozen=True)
class Run:
    """A stored row that may go on. `told_at`: when its record was made, Unix seconds."""

    id: int
    first_at: datetime
    told_at: float


def runs(ids: Sequence[int]) -> dict[int, Run]:
    """By id, those that are there."""
    if not ids:
        return {}
    with prepared.cursor() as cursor:
        cursor.execute(_RUNS, [list(ids)])
        return {row[0]: Run(*row) for row in cursor.fetchall()}


def create(decisions: Sequence[Mapping[str, Any]]) -> list[int]:
    """New rows, columns of Decision; their ids, in the same order."""
    return [pk for (pk,) in _send(_CREATE, decisions)]


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


def _send(statement: str, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """What the statement returns, if it does, of all rows."""
    found: list[tuple[Any, ...]] = []
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        some = orjson.dumps(rows[first : first + _ROWS_AT_ONCE])
        with prepared.cursor() as cursor:
            cursor.execute(statement, [some.decode()])
            found += cursor.fetchall()
    return found
