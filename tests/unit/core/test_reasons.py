"""Condition reasons: what the code says is registered, and the page of it is up to date."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from apps.core import reasons
from apps.core.domain.reasons import ConditionType, Reason, page

# constructor -> (kind, condition type, position of the reason)
SAYS = {
    "Sync": ("Pool", "Synced", 1),
    "Health": ("Pool", "Healthy", 1),
    "PlanRefused": ("Pool", "Synced", 0),
}


def said(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    """(kind, type, reason, where) of every reason that the code writes out."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in SAYS:
                continue
            kind, type_, position = SAYS[node.func.id]
            if len(node.args) > position and isinstance(node.args[position], ast.Constant):
                yield kind, type_, str(node.args[position].value), f"{path.name}:{node.lineno}"


def test_every_reason_that_the_code_gives_is_registered() -> None:
    found = list(said(settings.BASE_DIR / "apps" / "pools"))
    assert len(found) > 20
    unknown = [row for row in found if not reasons.known(*row[:3])]
    assert unknown == [], "give these a line in the room's domain/reasons.py"


def test_every_word_of_the_cluster_that_makes_a_pool_degraded_is_registered() -> None:
    from apps.pools.domain.pods import BAD_REASONS, GATED, NO_SCHEDULER, UNSCHEDULABLE

    for reason in {*BAD_REASONS, UNSCHEDULABLE, GATED, NO_SCHEDULER}:
        for type_ in ("EnginesReady", "RoutingReady", "Healthy", "Ready"):
            assert reasons.known("Pool", type_, reason), (type_, reason)


def test_every_error_of_a_cluster_is_registered() -> None:
    from apps.clusters import errors

    def below(base: type) -> Iterator[type]:
        for kind in base.__subclasses__():
            yield kind
            yield from below(kind)

    named = {"Unreachable", "BadCredentials", "FieldManagerConflict", "NotServed", "Throttled", "ServerFault"}
    for kind in below(errors.KubeError):
        if kind.__name__ not in named and kind.__module__ == errors.__name__:
            assert reasons.known("Pool", "Applied", f"{kind.__name__}Answer"), kind


def test_the_page_is_what_the_table_says() -> None:
    path = settings.BASE_DIR / "docs" / "concepts" / "conditions.md"
    written = page(reasons.condition_types(), reasons.reasons())
    assert path.read_text() == written, "run `manage.py conditions_page`"


def test_a_reason_has_one_meaning_and_a_condition() -> None:
    reasons.register_conditions([ConditionType("T", "A", None, "?")], [Reason("T", "A", "R", "one")])
    try:
        with pytest.raises(ValueError, match="two meanings"):
            reasons.register_conditions([], [Reason("T", "A", "R", "two")])
        with pytest.raises(ValueError, match="no condition B"):
            reasons.register_conditions([], [Reason("T", "B", "R", "one")])
    finally:
        reasons._types.pop(("T", "A"))
        reasons._reasons.pop(("T", "A", "R"))
