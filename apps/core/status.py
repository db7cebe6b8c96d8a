"""Conditions of kinds that need no controller: what can be said of them is known when they are accepted."""

from __future__ import annotations

from apps.core import clock
from apps.core.domain.conditions import Condition, read_conditions, set_condition
from apps.core.models import DeclaredObject


def put_condition(obj: DeclaredObject, condition: Condition) -> bool:
    """Store a condition of an object within the caller's transaction; False where nothing had to be written.

    The object in hand carries it afterwards too.
    """
    conditions = set_condition(read_conditions(obj.conditions), condition, clock.now())
    stored = [c.to_json() for c in conditions]
    if stored == obj.conditions:
        return False
    obj.conditions = stored
    type(obj)._default_manager.filter(pk=obj.pk).update(conditions=stored)
    return True
