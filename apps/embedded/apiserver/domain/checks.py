"""Small checks of values, worded as the real server words them. Each answers the causes it found."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from apps.embedded.apiserver.domain.status import Cause

_LABEL_RE = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN_RE = rf"{_LABEL_RE}(\.{_LABEL_RE})*"
_NAME_RE = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE_RE = f"({_NAME_RE})?"
_CONFIG_KEY_RE = "[-._a-zA-Z0-9]+"
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and"
    f" end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN_RE}')"
)
LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with"
    f" an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '{_LABEL_RE}')"
)
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric"
    f" character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '{_NAME_RE}')"
)
LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and"
    " end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is"
    f" '{_VALUE_RE}')"
)
CONFIG_KEY = (
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or"
    f" 'key-name', regex used for validation is '{_CONFIG_KEY_RE}')"
)


PERCENT = (
    "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for"
    " validation is '[0-9]+%')"
)


class InOrder(dict[str, Any]):
    """A Go struct inside a message: its fields keep their order, while those of maps are sorted."""


def show(value: Any) -> str:
    """A value inside a message: JSON, as Go's field errors print it."""
    sort = isinstance(value, dict) and not isinstance(value, InOrder)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=sort)


def percent(field: str, value: str) -> list[Cause]:
    return [] if re.fullmatch("[0-9]+%", value) else [invalid(field, value, PERCENT)]


def invalid(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {show(value)}: {why}", field)


def required(field: str, why: str = "") -> Cause:
    return Cause("FieldValueRequired", f"Required value: {why}" if why else "Required value", field)


def forbidden(field: str, why: str) -> Cause:
    return Cause("FieldValueForbidden", f"Forbidden: {why}", field)


def duplicate(field: str, value: Any) -> Cause:
    return Cause("FieldValueDuplicate", f"Duplicate value: {show(value)}", field)


def not_found(field: str, value: Any) -> Cause:
    return Cause("FieldValueNotFound", f"Not found: {show(value)}", field)


def one_of(field: str, value: Any, supported: Iterable[str]) -> list[Cause]:
    """The value must be one of a list; an absent or empty one is the business of ``required``."""
    known = list(supported)
    if value in known:
        return []
    listed = ", ".join(show(option) for option in sorted(known))
    return [Cause("FieldValueNotSupported", f"Unsupported value: {show(value)}: supported values: {listed}", field)]


def at_least_zero(field: str, value: int | None) -> list[Cause]:
    if value is not None and value < 0:
        return [invalid(field, value, "must be greater than or equal to 0")]
    return []


def immutable(field: str, new: Any, old: Any) -> list[Cause]:
    return [] if new == old else [invalid(field, new, "field is immutable")]


def subdomain(field: str, value: str) -> list[Cause]:
    causes = [] if len(value) <= 253 else [invalid(field, value, "must be no more than 253 characters")]
    return causes + ([] if re.fullmatch(_SUBDOMAIN_RE, value) else [invalid(field, value, SUBDOMAIN)])


def label(field: str, value: str) -> list[Cause]:
    return _pattern(field, value, _LABEL_RE, LABEL, 63)


def config_key(field: str, value: str) -> list[Cause]:
    return _pattern(field, value, _CONFIG_KEY_RE, CONFIG_KEY, 253)


def labels(field: str, value: dict[str, str] | None) -> list[Cause]:
    causes = []
    for key, text in (value or {}).items():
        causes += qualified_name(field, key)
        if len(text) > 63:
            causes.append(invalid(field, text, "must be no more than 63 bytes"))
            if not re.fullmatch(_VALUE_RE, text):
                causes.append(invalid(field, text, LABEL_VALUE))
        elif not _is_label_value(text):
            causes.append(invalid(field, text, LABEL_VALUE))
    return causes


# the same few names are checked with every write; only short ones are kept
@functools.lru_cache(maxsize=4096)
def _is_label_value(text: str) -> bool:
    return re.fullmatch(_VALUE_RE, text) is not None


@functools.lru_cache(maxsize=4096)
def _is_simple_name(value: str) -> bool:
    prefix, slash, name = value.rpartition("/")
    return bool(re.fullmatch(_NAME_RE, name)) and (not slash or bool(re.fullmatch(_SUBDOMAIN_RE, prefix)))


def label_selector(field: str, selector: dict[str, Any] | None) -> list[Cause]:
    """The labels and the expressions of a LabelSelector."""
    causes = labels(f"{field}.matchLabels", (selector or {}).get("matchLabels"))
    for index, term in enumerate((selector or {}).get("matchExpressions", ())):
        where, operator = f"{field}.matchExpressions[{index}]", term.get("operator", "")
        if operator in ("In", "NotIn"):
            if not term.get("values"):
                causes.append(required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
        elif operator in ("Exists", "DoesNotExist"):
            if term.get("values"):
                why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                causes.append(forbidden(f"{where}.values", why))
        else:
            causes.append(invalid(f"{where}.operator", operator, "not a valid selector operator"))
        causes += qualified_name(f"{where}.key", term.get("key", ""))
    return causes


def qualified_name(field: str, value: str) -> list[Cause]:
    """A label key or the like: an optional DNS prefix, a slash, a name."""
    if len(value) <= 63 and _is_simple_name(value):
        return []
    prefix, slash, name = value.rpartition("/")
    causes = []
    if slash and not re.fullmatch(_SUBDOMAIN_RE, prefix):
        causes.append(invalid(field, value, f"prefix part {SUBDOMAIN}"))
    if len(name) > 63:
        causes.append(invalid(field, value, "name part must be no more than 63 characters"))
    if not re.fullmatch(_NAME_RE, name):
        causes.append(invalid(field, value, QUALIFIED))
    return causes


def port_number(field: str, value: int) -> list[Cause]:
    return [] if 1 <= value <= 65535 else [invalid(field, value, "must be between 1 and 65535, inclusive")]


def unique(values: Iterable[tuple[str, Any]]) -> list[Cause]:
    """Each (field, value) must be the first of its value."""
    seen: set[Any] = set()
    causes = []
    for field, value in values:
        if value in seen:
            causes.append(duplicate(field, value))
        seen.add(value)
    return causes


def _pattern(field: str, value: str, pattern: str, why: str, length: int) -> list[Cause]:
    causes = []
    if len(value) > length:
        causes.append(invalid(field, value, f"must be no more than {length} bytes"))
    if not re.fullmatch(pattern, value):
        causes.append(invalid(field, value, why))
    return causes


def only_changed(new: dict[str, Any], old: dict[str, Any], allowed: Collection[str]) -> bool:
    """Do two structs differ at most in the fields ``allowed``?"""
    return all(new.get(key) == old.get(key) for key in {*new, *old} if key not in allowed)
