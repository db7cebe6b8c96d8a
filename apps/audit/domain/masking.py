"""Secret-looking values never reach a record: what is masked is decided by the name of the field that holds it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MASK = "•••"
# the last word of a name decides: HF_TOKEN, apiKey, --api-key; not tokenizer, not max-num-batched-tokens
_SECRET_NAME = re.compile(
    r"(pass(words?|wd|phrase)?|secrets?|token|credentials?|api[-_]?keys?|access[-_]?key|private[-_]?key|authorization)$",
    re.IGNORECASE,
)
_ASSIGNMENT = re.compile(r"(-{0,2}[A-Za-z][\w.-]*)=(.+)", re.DOTALL)
_SECRET_TEXT = re.compile(r"\b(hf_[A-Za-z0-9]{10,}|lamp_[\w-]{10,}|sk-[\w-]{10,}|gh[pousr]_[A-Za-z0-9]{10,})")
_URL_PASSWORD = re.compile(r"(\w+://[^/\s:@]*:)[^/\s@]+@")


def masked(value: Any, name: str = "") -> Any:
    """A copy of a JSON value with what looks like a secret replaced by `•••`; the shape stays.

    Looked at: names of fields (password, token, api-key …), arguments `--api-key=x` and `--api-key x`, well-known
    token shapes, passwords in URLs. A reference by name (`secretName`, `secretKeyRef`) is no secret.
    """
    if isinstance(value, Mapping):
        return {key: masked(inner, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        after_flag = [
            False,
            *(isinstance(v, str) and v[:1] == "-" and bool(_SECRET_NAME.search(v)) for v in value[:-1]),
        ]
        return [
            MASK if hide and isinstance(v, str) else masked(v, name) for v, hide in zip(value, after_flag, strict=False)
        ]
    if isinstance(value, str) and value:
        if _SECRET_NAME.search(name):
            return MASK
        assignment = _ASSIGNMENT.fullmatch(value)
        if assignment and _SECRET_NAME.search(assignment[1]):
            return f"{assignment[1]}={MASK}"
        value = _SECRET_TEXT.sub(MASK, value)
        return _URL_PASSWORD.sub(rf"\g<1>{MASK}@", value)
    return value
