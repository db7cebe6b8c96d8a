"""How many rows the database looks at for a statement: what makes a statement dear as tables grow, on any machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection


@contextmanager
def rows_looked_at(word: str) -> Iterator[list[int]]:
    """Filled with one number for each run, inside the block, of a statement that begins with `word`.

    Each is planned as prepared statements are (`plan_cache_mode` of the connection) and run twice, the first time
    within a savepoint that is rolled back.
    """
    found: list[int] = []

    def explain(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
        if str(sql).split()[:1] == [word]:
            raw = connection.connection.cursor()
            raw.execute("SAVEPOINT explained")
            raw.execute(f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {sql}", params, prepare=True)
            (plan,) = raw.fetchone()
            raw.execute("ROLLBACK TO SAVEPOINT explained")
            found.append(_rows((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explain):
        yield found


def _rows(node: dict[str, Any]) -> int:
    """What all scans of a plan gave, and what they and joins threw away."""
    mine: float = 0.0
    if node["Node Type"].endswith("Scan") and "Relation Name" in node:
        mine += float(node["Actual Rows"])
    mine += sum(float(value) for name, value in node.items() if name.startswith("Rows Removed by"))
    below = sum(_rows(child) for child in node.get("Plans", []))
    return round(mine * float(node["Actual Loops"])) + below
