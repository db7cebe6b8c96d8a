"""Secret-looking values never reach a record: what is masked is decided by the name of the field that holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "•••"
_SECRET_NAME = re.compile(
    r"(pass(word|wd|phrase)?|secret|token|credential|api[-_]?key|access[-_]?key|private[-_]?key|authorization)s?$",
    re.IGNORECASE,
)
# --api-key=…, --hf-token … and TOKEN=… within lists of arguments
_SECRET_ARGUMENT = re.compile(r"^(-{0,2}[\w.-]*(?:pass|secret|token|api[-_]?key)[\w.-]*=).+$", re.IGNORECASE)
_SECRET_TEXT = re.compile(r"\b(hf_[A-Za-z0-9]{10,}|lamp_[\w-]{10,}|sk-[\w-]{10,}|gh[pousr]_[A-Za-z0-9]{10,})")
_URL_PASSWORD = re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@")
_SECRET_FLAG = re.compile(r"^--?[\w.-]*(api[-_]?key|hf[-_]?token|password|secret)$", re.IGNORECASE)


def masked(value: Any, name: str = "") -> Any:
    """A copy of a JSON value with what looks like a secret replaced by `•••`; the shape stays.

    Looked at: names of fields (password, token, api-key …), arguments `--api-key=x` and `--api-key x`, well-known
    token shapes, passwords in URLs. A reference by name (`secretName`, `secretKeyRef`) is no secret.
    """
    if isinstance(value, Mapping):
        return {key: masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        after_flag = [False, *(isinstance(v, str) and bool(_SECRET_FLAG.match(v)) for v in value[:-1])]
        return [
            MASK if hide and isinstance(v, str) else masked(v, name) for v, hide in zip(value, after_flag, strict=False)
        ]
    if isinstance(value, str) and value:
        if _SECRET_NAME.search(name):
            return MASK
        value = _SECRET_ARGUMENT.sub(rf"\g<1>{MASK}", value)
        value = _SECRET_TEXT.sub(MASK, value)
        return _URL_PASSWORD.sub(rf"\g<1>{MASK}@", value)
    return value
