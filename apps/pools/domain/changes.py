"""What differs between two states of an object, field by field. Items of keyed lists are compared by their key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Literal

from apps.pools.domain.fieldpaths import ATOMIC_MAPS, ItemKey, Path, key_of, list_keys
from apps.pools.domain.manifests import GENERATION, SPEC_HASH

Op = Literal["added", "removed", "changed", "reordered"]


class Absent(Enum):
    """The field is not there at all, which null is not."""

    ABSENT = "absent"


ABSENT: Final = Absent.ABSENT


@dataclass(frozen=True)
class FieldChange:
    """One field that is not as before. `reordered`: a keyed list with the same items, before and after are their keys.

    A list without keys (a command line) is one field: its items mean something only together.
    """

    path: Path
    op: Op
    before: Any
    after: Any


def diff(before: Any, after: Any, at: Path = ()) -> list[FieldChange]:
    """Changes that make `after` out of `before` (JSON values), in the order of the fields; [] when they are equal."""
    return list(_diff(before, after, at))


def overlaid(live: Any, wanted: Any, at: Path = ()) -> Any:
    """What applying `wanted` over `live` roughly gives, where no server says: its fields on top, everything else kept.

    Items of keyed lists are laid over their own; a list without keys is replaced unless it is of the same length.
    """
    if at and at[-1] in ATOMIC_MAPS:
        return wanted
    if isinstance(live, Mapping) and isinstance(wanted, Mapping):
        return {**live, **{k: overlaid(live[k], v, (*at, k)) if k in live else v for k, v in wanted.items()}}
    if not isinstance(live, list) or not isinstance(wanted, list):
        return wanted
    names = list_keys(at[-1], live, wanted) if at and isinstance(at[-1], str) else None
    if names is None:
        same_length = len(live) == len(wanted)
        return [overlaid(a, b, at) for a, b in zip(live, wanted, strict=True)] if same_length else wanted
    over = {key_of(item, names): item for item in wanted}
    held = {key_of(item, names): item for item in live}
    kept = [overlaid(item, over[key]) if key in over else item for key, item in held.items()]
    return kept + [item for key, item in over.items() if key not in held]


# what the server keeps for itself, and our own stamp, which changes with every change and says nothing more
_BOOKKEEPING = frozenset(
    {"managedFields", "resourceVersion", "uid", "generation", "creationTimestamp", "selfLink", "deletionTimestamp"}
)
_STAMPS = frozenset({SPEC_HASH, GENERATION})
_ECHOES = frozenset({"kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision"})


def declared_part(obj: Mapping[str, Any]) -> dict[str, Any]:
    """An object without status, bookkeeping and our stamp: what a review is about."""
    metadata = {k: v for k, v in (obj.get("metadata") or {}).items() if k not in _BOOKKEEPING}
    for name, left_out in (("labels", _STAMPS), ("annotations", _ECHOES)):
        if name in metadata:
            metadata[name] = {k: v for k, v in (metadata[name] or {}).items() if k not in left_out}
            if not metadata[name]:
                del metadata[name]
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": metadata}


def _diff(before: Any, after: Any, at: Path) -> Iterable[FieldChange]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in [*before, *(name for name in after if name not in before)]:
            yield from _field(before.get(name, ABSENT), after.get(name, ABSENT), (*at, name))
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, at)
    elif not same(before, after):
        yield FieldChange(at, "changed", before, after)


def _field(before: Any, after: Any, at: Path) -> Iterable[FieldChange]:
    if before is ABSENT:
        yield FieldChange(at, "added", ABSENT, after)
    elif after is ABSENT:
        yield FieldChange(at, "removed", before, ABSENT)
    else:
        yield from _diff(before, after, at)


def _lists(before: Sequence[Any], after: Sequence[Any], at: Path) -> Iterable[FieldChange]:
    names = list_keys(at[-1], before, after) if at and isinstance(at[-1], str) else None
    if names is None:
        if not same(before, after):
            yield FieldChange(at, "changed", before, after)
        return
    old = {key_of(item, names): item for item in before}
    new = {key_of(item, names): item for item in after}
    for key in [*old, *(key for key in new if key not in old)]:
        yield from _field(old.get(key, ABSENT), new.get(key, ABSENT), (*at, key))
    kept = [key for key in old if key in new] + [key for key in new if key not in old]
    if kept != list(new):
        yield FieldChange(at, "reordered", [_words(key) for key in kept], [_words(key) for key in new])


def _words(key: ItemKey) -> dict[str, Any]:
    return dict(key.fields)


def same(one: Any, other: Any) -> bool:
    """Equality of JSON values, in which true is not 1 (and 1 is not 1.0, which a server may refuse for it)."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and one == other
