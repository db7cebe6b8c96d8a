"""Secrets out of what is shown: the values stay unseen, that they change stays visible.

Masked are the data of Secrets, values of environment variables and fields whose name says secret, and text that has
the form of a token wherever it stands. A value that is masked in one place is masked in every other text too.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Any

from apps.pools.domain.changes import ABSENT, FieldChange
from apps.pools.domain.fieldpaths import ItemKey, Path

HIDDEN = "***"
BEFORE = "*** (before)"
AFTER = "*** (after)"
# a shorter value is a word of the language: hiding it everywhere would garble sentences
_SHORTEST = 8

_NAME = re.compile(
    r"(?i)(^|[_.\-/])(token|secret|password|passwd|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credentials?"
    r"|authorization)([_.\-/]|$)|(?:Token|Secret|Password|ApiKey|AccessKey|PrivateKey|Credentials?)$"
)
# names of where a secret is, not of what it is
_REFERENCE = re.compile(r"(?i)(secretKeyRef|secretName|secretRef|serviceAccountToken|automountServiceAccountToken)$")
_TOKENS = re.compile(
    r"hf_[A-Za-z0-9]{8,}"
    r"|sk-[A-Za-z0-9_-]{8,}"
    r"|gh[pousr]_[A-Za-z0-9]{16,}"
    r"|github_pat_[A-Za-z0-9_]{16,}"
    r"|glpat-[A-Za-z0-9_-]{16,}"
    r"|xox[abprs]-[A-Za-z0-9-]{10,}"
    r"|lamp_[A-Za-z0-9_-]{8,}"
    r"|nvapi-[A-Za-z0-9_-]{8,}"
    r"|(?:AKIA|ASIA)[A-Z0-9]{12,}"
    r"|eyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*)?"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:(?<=bearer )[A-Za-z0-9._~+/=-]{8,})"
)
# --api-key=..., --hf-token=..., HF_TOKEN=...: the word before the sign says that the rest is one
_ASSIGNED = re.compile(
    r"(?i)((?:^|[\s\"'{,?&])(?:--?)?[A-Za-z0-9_.-]*"
    r"(?:token|secret|password|passwd|api[_-]?key|access[_-]?key|private[_-]?key)[\"']?\s*[=:]\s*[\"']?)([^\s\"',&}\[{]+)"
)
_FLAG = re.compile(r"(?i)^--?[a-z0-9_.-]*(token|secret|password|passwd|api[_-]?key|access[_-]?key|private[_-]?key)$")


class Masker:
    """Masks values and sentences of one review. `objects`: all that it is about, live and desired."""

    def __init__(self, objects: Iterable[Mapping[str, Any]]) -> None:
        found: set[str] = set()
        for obj in objects:
            _collect(obj, (), secret=obj.get("kind") == "Secret", into=found)
        self._known = sorted((value for value in found if len(value) >= _SHORTEST), key=len, reverse=True)

    def text(self, text: str) -> str:
        """A sentence or a value that is no secret by its place."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        text = _TOKENS.sub(HIDDEN, text)
        return _ASSIGNED.sub(lambda m: m[1] + HIDDEN, text)

    def value(self, value: Any, at: Path = (), *, secret: bool = False) -> Any:
        """A value (JSON) that stands at a place of an object; `secret`: of a Secret's data."""
        if secret or (_secret_place(at) and not _is_reference(at, value)):
            return _hidden(value)
        if isinstance(value, Mapping):
            named = _secret_entry(value)
            return {
                self.text(str(name)): HIDDEN
                if named and name == "value"
                else self.value(item, (*at, str(name)), secret=_is_data(at, name, value))
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [
                HIDDEN if i and _follows_flag(value[i - 1]) else self.value(item, (*at, f"{i}"))
                for i, item in enumerate(value)
            ]
        return self.text(value) if isinstance(value, str) else value

    def change(self, change: FieldChange, kind: str) -> FieldChange:
        """The change as it may be shown: a hidden value that differs still says on which side it stood."""
        secret = kind == "Secret" and change.path[:1] in (("data",), ("stringData",))
        before, after = (
            value if value is ABSENT else self.value(value, change.path, secret=secret)
            for value in (change.before, change.after)
        )
        if change.op == "changed" and before == after:
            before, after = _told_apart(before, BEFORE), _told_apart(after, AFTER)
        return FieldChange(self._path(change.path), change.op, before, after)

    def _path(self, path: Path) -> Path:
        return tuple(
            self.text(part)
            if isinstance(part, str)
            else ItemKey(tuple((n, self.text(v) if isinstance(v, str) else v) for n, v in part.fields))
            for part in path
        )


def _told_apart(value: Any, mark: str) -> Any:
    if isinstance(value, str):
        return value.replace(HIDDEN, mark)
    if isinstance(value, list):
        return [_told_apart(item, mark) for item in value]
    if isinstance(value, Mapping):
        return {name: _told_apart(item, mark) for name, item in value.items()}
    return value


def _hidden(value: Any) -> Any:
    """The shape stays: which keys a Secret has is no secret."""
    if isinstance(value, Mapping):
        return {name: _hidden(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return value if value is None or isinstance(value, bool) else HIDDEN


def _secret_place(at: Path) -> bool:
    """Whether the name of the field, or of the variable that it is the value of, says that it holds a secret."""
    if not at:
        return False
    last = at[-1]
    if isinstance(last, ItemKey):
        return False
    if last == "value" and len(at) > 1 and isinstance(at[-2], ItemKey):
        return any(name == "name" and _says_secret(str(value)) for name, value in at[-2].fields)
    return _says_secret(last)


def _secret_entry(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("name"), str) and "value" in value and _says_secret(value["name"])


def _is_reference(at: Path, value: Any) -> bool:
    """Whether a value only names a Secret and a key of it, as a Model's tokenSecret does."""
    named = isinstance(value, Mapping) and "name" in value and value.keys() <= {"name", "key", "optional"}
    return named and str(at[-1]).endswith("Secret")


def _says_secret(name: str) -> bool:
    return bool(_NAME.search(name)) and not _REFERENCE.search(name)


def _follows_flag(word: object) -> bool:
    return isinstance(word, str) and bool(_FLAG.match(word))


def _is_data(at: Path, name: object, value: Mapping[str, Any]) -> bool:
    return not at and name in ("data", "stringData") and value.get("kind") == "Secret"


def _collect(value: Any, at: Path, *, secret: bool, into: set[str]) -> None:
    """Every text that is a secret by its place, so that it is hidden elsewhere too."""
    if isinstance(value, Mapping):
        named = _secret_entry(value)
        for name, item in value.items():
            place = (*at, str(name))
            hidden = (secret and place[0] in ("data", "stringData")) or (
                _secret_place(place) and not _is_reference(place, item)
            )
            if isinstance(item, str) and (hidden or (named and name == "value")):
                into.add(item)
                into.update(_decoded(item))
            elif hidden and isinstance(item, Mapping | list):
                for text in _texts(item):
                    into.add(text)
                    into.update(_decoded(text))
            else:
                _collect(item, place, secret=secret, into=into)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            if i and isinstance(item, str) and _follows_flag(value[i - 1]):
                into.add(item)
            else:
                _collect(item, (*at, f"{i}"), secret=secret, into=into)
    elif isinstance(value, str):
        for match in _TOKENS.findall(value):
            into.add(match)
            into.add(match.rpartition(":")[2])  # the password of user:password
        for _, assigned in _ASSIGNED.findall(value):
            into.update((assigned, assigned.rstrip(";,.)|")))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _decoded(text: str) -> Iterable[str]:
    """What a Secret's data stands for: a workload may carry the same value in plain text."""
    try:
        yield base64.b64decode(text, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return
