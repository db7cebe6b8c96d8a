"""x-kubernetes-validations: CEL rules of a schema, evaluated with the library cel-python.

The library is large, so it is loaded when the first rule has to be evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from apps.embedded.apiserver.domain.status import Cause

Object = dict[str, Any]
ABSENT: Any = object()


def has_rules(raw: Any) -> bool:
    """Is there a rule anywhere in a schema?"""
    if isinstance(raw, Mapping):
        return "x-kubernetes-validations" in raw or any(has_rules(child) for child in raw.values())
    return isinstance(raw, list) and any(has_rules(child) for child in raw)


def check(value: Any, old: Any, raw: Mapping[str, Any], path: str = "") -> Iterator[Cause]:
    """Causes for all rules that ``value`` breaks; rules about oldSelf count only where there is an old value."""
    for rule in raw.get("x-kubernetes-validations", ()):
        expression = rule["rule"]
        if "oldSelf" in expression and old is ABSENT and not rule.get("optionalOldSelf"):
            continue
        message = rule.get("message", f"failed rule: {expression}").strip()
        try:
            if evaluate(expression, value, old):
                continue
        except RuleError as error:
            shown = "object" if isinstance(value, dict) else "array" if isinstance(value, list) else "string"
            yield Cause("FieldValueInvalid", f'Invalid value: "{shown}": {error} evaluating rule: {message}', path)
            continue
        reason = rule.get("reason", "FieldValueInvalid")
        where = path + rule.get("fieldPath", "")
        prefix = {"FieldValueForbidden": "Forbidden: ", "FieldValueRequired": "Required value: "}
        yield Cause(reason, prefix.get(reason, "Invalid value: ") + message, where.lstrip("."))
    yield from _children(value, old, raw, path)


def _children(value: Any, old: Any, raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    if isinstance(value, dict):
        properties, extra = raw.get("properties", {}), raw.get("additionalProperties")
        for name in sorted(value):
            child = properties.get(name, extra)
            if isinstance(child, Mapping):
                before = old.get(name, ABSENT) if isinstance(old, dict) else ABSENT
                yield from check(value[name], before, child, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        items = raw.get("items")
        keys = raw.get("x-kubernetes-list-map-keys")
        for index, item in enumerate(value):
            before = ABSENT
            if keys and isinstance(old, list):
                before = next((o for o in old if all(o.get(key) == item.get(key) for key in keys)), ABSENT)
            if isinstance(items, Mapping):
                yield from check(item, before, items, f"{path}[{index}]")


class RuleError(ValueError):
    """The rule could not be evaluated on this value."""


def evaluate(expression: str, value: Any, old: Any = ABSENT) -> bool:
    """The truth of a rule. RuleError when it refers to what is not there or uses what is not supported."""
    from celpy.adapter import json_to_cel
    from celpy.evaluation import CELEvalError

    context = {"self": json_to_cel(value)}
    if old is not ABSENT:
        context["oldSelf"] = json_to_cel(old)
    try:
        return bool(_program(expression).evaluate(context))
    except CELEvalError as error:
        raise RuleError(_missing_key(expression, value) or str(error.args[0])) from None


def _missing_key(expression: str, value: Any) -> str:
    """The usual reason: a chain such as self.a.b whose first absent key the rule did not test for."""
    for chain in re.findall(r"\bself((?:\.[A-Za-z_]\w*)+)", expression):
        node = value
        for name in chain.strip(".").split("."):
            if not isinstance(node, dict):
                break
            if name not in node:
                return f"no such key: {name}"
            node = node[name]
    return ""


@lru_cache(maxsize=512)
def _program(expression: str) -> Any:
    import celpy

    environment = celpy.Environment()
    return environment.program(environment.compile(expression))
