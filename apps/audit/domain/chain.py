"""The hash chain of change records: a record cannot be edited, left out or moved without breaking what follows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

GENESIS = "0" * 64


def digest_of(previous: str, fields: Mapping[str, object]) -> str:
    """SHA-256 (hex) over the previous record's digest and the canonical JSON of this record's fields."""
    canonical = json.dumps(_canonical(fields), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous}\n{canonical}".encode()).hexdigest()


def _canonical(value: object) -> object:
    """Numbers as they come back from storage: jsonb makes 1e22 an integer."""
    if isinstance(value, Mapping):
        return {key: _canonical(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def first_break(records: Iterable[tuple[int, str, str, Mapping[str, object]]], previous: str = GENESIS) -> int | None:
    """The id of the first record that does not follow from the one before it, None for a whole chain.

    `records` are (id, previous digest, digest, fields) in the order of their ids; `previous` is the digest before
    the first of them.
    """
    for id_, said, digest, fields in records:
        if said != previous or digest_of(previous, fields) != digest:
            return id_
        previous = digest
    return None
