"""Label and field selectors: parse once, match many."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
Matcher = Callable[[Object], bool]


@dataclass(frozen=True)
class Requirement:
    """One term: ``operator`` is one of in, notin, exists, !, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        present = self.key in labels
        value = labels.get(self.key, "")
        if self.operator == "in":
            return present and value in self.values
        if self.operator == "notin":
            return not present or value not in self.values
        if self.operator == "exists":
            return present
        if self.operator == "!":
            return not present
        try:
            number, bound = int(value), int(self.values[0])
        except ValueError:
            return False
        return present and (number > bound if self.operator == "gt" else number < bound)


@dataclass(frozen=True)
class LabelSelector:
    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        labels = labels or {}
        return all(requirement.matches(labels) for requirement in self.requirements)


_TERM = re.compile(
    r"""\s*(?:
        (?P<set_key>[^\s,=!()<>]+)\s+(?P<set_op>in|notin)\s*\((?P<set_values>[^()]*)\)
      | (?P<key>[^\s,=!()<>]+)\s*(?P<op>==|=|!=|>|<)\s*(?P<value>[^\s,=!()<>]*)
      | !\s*(?P<absent>[^\s,=!()<>]+)
      | (?P<present>[^\s,=!()<>]+)
    )\s*(?:,|$)""",
    re.VERBOSE,
)


def parse_label_selector(text: str) -> LabelSelector:
    """Parse the string form used in URLs. ValueError says what could not be read."""
    requirements: list[Requirement] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or match.end() == position:
            bare = re.match(r"\s*\S+\s+(?:in|notin)\s+([^\s(,]+)", text[position:])
            if bare is not None:
                raise ValueError(f"unable to parse requirement: found '{bare[1]}' expected: '('")
            raise ValueError(f"unable to parse requirement: {text[position:]!r} cannot be read as a label selector")
        if match["set_key"]:
            values = tuple(sorted(value.strip() for value in match["set_values"].split(",")))
            requirements.append(Requirement(match["set_key"], match["set_op"], values))
        elif match["key"]:
            operator = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}[match["op"]]
            requirements.append(Requirement(match["key"], operator, (match["value"],)))
        elif match["absent"]:
            requirements.append(Requirement(match["absent"], "!"))
        else:
            requirements.append(Requirement(match["present"], "exists"))
        position = match.end()
    return LabelSelector(tuple(requirements))


def from_label_selector_object(selector: Object | None) -> LabelSelector | None:
    """The selector of a spec (matchLabels, matchExpressions); None stands for "matches nothing"."""
    if selector is None:
        return None
    operators = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    requirements = [Requirement(key, "in", (value,)) for key, value in sorted(selector.get("matchLabels", {}).items())]
    requirements += [
        Requirement(term["key"], operators[term["operator"]], tuple(term.get("values", ())))
        for term in selector.get("matchExpressions", ())
    ]
    return LabelSelector(tuple(requirements))


@dataclass(frozen=True)
class FieldTerm:
    path: str
    value: str
    equal: bool


def parse_field_selector(text: str) -> tuple[FieldTerm, ...]:
    """Parse ``a.b=c,d.e!=f``. ValueError says what could not be read."""
    terms = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        for operator, equal in (("!=", False), ("==", True), ("=", True)):
            path, found, value = part.partition(operator)
            if found:
                terms.append(FieldTerm(path.strip(), value.strip(), equal))
                break
        else:
            raise ValueError(f"invalid selector: '{text}'; can't understand '{part}'")
    return tuple(terms)


def field_value(obj: Object, path: str) -> str:
    """The value at a dotted path as text; "" when absent, as selectors see it."""
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
