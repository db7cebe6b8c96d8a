"""The registry of document kinds: a kind is one KindHandler, registered in its room's AppConfig.ready()."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar, Literal

from apps.core.domain.access import SHARED_TEAM, SYSTEM, Actor
from apps.core.domain.documents import Spec
from apps.core.domain.refusals import Fault
from apps.core.models import DeclaredObject, ObjectKey


@dataclass
class CheckContext:
    """What a handler's `check` sees of a document that is about to be accepted, and where it says what is wrong.

    Runs inside the transaction. `before` is the stored object, None for a new one.
    """

    team: str
    name: str
    spec: Any
    before: DeclaredObject | None
    actor: Actor = SYSTEM
    labels: Mapping[str, str] = field(default_factory=dict)
    refused_keys: frozenset[ObjectKey] = frozenset()
    faults: list[Fault] = field(default_factory=list)

    def refuse(self, pointer: str, detail: str) -> None:
        """Say that the document is wrong at a JSON pointer (`/spec/model`), in a sentence: what, and how to mend it."""
        self.faults.append(Fault(pointer, detail))

    def find(self, kind: str, name: str) -> Any | None:
        """The living object of a kind that `name` means here: of this team, else of the shared one."""
        return find_reference(kind, self.team, name)

    def require(self, kind: str, name: str, pointer: str) -> Any | None:
        """As `find`, but its absence is a fault at `pointer`; the row is locked, so that it cannot go meanwhile."""
        found = find_reference(kind, self.team, name, lock=True)
        if found is not None:
            return found
        if any(ObjectKey(kind, team, name) in self.refused_keys for team in (self.team, SHARED_TEAM)):
            self.refuse(pointer, f"{kind} {name} stands in the same bundle and was refused")
            return None
        handler = get(kind)
        names = list(
            handler.model.objects.living()
            .filter(team__in=[self.team, SHARED_TEAM])
            .values_list("name", flat=True)[:500]
        )
        close = get_close_matches(name, names, n=1)
        hint = (
            f"; did you mean {close[0]}?"
            if close
            else f"; declare it first (lamp get {handler.plural} lists what there is)"
        )
        self.refuse(pointer, f"there is no {kind} named {name} in team {self.team} or {SHARED_TEAM}{hint}")
        return None


@dataclass(frozen=True)
class Accepted:
    """An accepted change, for a handler's `accepted` hook: inside the transaction, after the row was written.

    `spec` is the parsed spec, None in a deletion. `before` is the declaration before, None for a new object.
    """

    verb: Literal["created", "updated", "deleting", "deleted"]
    obj: Any
    spec: Any
    before: Mapping[str, Any] | None
    spec_changed: bool
    actor: Actor
    reason: str


class KindHandler:
    """One kind of document: its address, its table, its spec, and the hooks in which its room has a say.

    `references` names the kinds that its documents refer to: in a bundle those are accepted first. `immutable` are
    JSON pointers below /spec that an update may not change.
    """

    kind: ClassVar[str]
    plural: ClassVar[str]
    singular: ClassVar[str]
    short_names: ClassVar[tuple[str, ...]] = ()
    model: ClassVar[type[DeclaredObject]]
    spec_model: ClassVar[type[Spec]]
    references: ClassVar[tuple[str, ...]] = ()
    immutable: ClassVar[tuple[str, ...]] = ()

    def check(self, context: CheckContext) -> None:
        """Look at what pydantic cannot see (references, clashes); call `context.refuse` for each fault."""

    def accepted(self, change: Accepted) -> None:
        """The change is written: record a revision, enqueue the reconciliation. Raising undoes everything."""

    def request_deletion(self, obj: Any) -> bool:
        """True: the row goes at once. False: its controller finishes it and calls `services.finish_deletion`."""
        return True

    def status(self, obj: Any) -> dict[str, Any]:
        """`status` over REST."""
        return {**obj.status, "conditions": obj.conditions}


_handlers: dict[str, KindHandler] = {}
Referrers = Callable[[Any], Iterable[str]]
_referrers: dict[str, list[Referrers]] = {}
Watcher = Callable[[Accepted], Iterable[DeclaredObject]]
_watchers: dict[str, list[Watcher]] = {}


def register(handler: KindHandler) -> None:
    """Make a kind known; called once at start-up. Raises ValueError where kind or plural is taken."""
    for other in _handlers.values():
        if type(other) is not type(handler) and (other.kind == handler.kind or other.plural == handler.plural):
            raise ValueError(f"kind {handler.kind} ({handler.plural}) is registered twice")
    handler.model.kind = handler.kind
    _handlers[handler.kind] = handler


def get(kind: str) -> KindHandler:
    """The handler of a kind; KeyError where there is none."""
    return _handlers[kind]


def all_handlers() -> tuple[KindHandler, ...]:
    """All kinds, those that are referred to before those that refer to them."""
    ordered: list[KindHandler] = []

    def place(handler: KindHandler) -> None:
        if handler in ordered:
            return
        for kind in handler.references:
            if kind in _handlers and kind != handler.kind:
                place(_handlers[kind])
        ordered.append(handler)

    for kind in sorted(_handlers):
        place(_handlers[kind])
    return tuple(ordered)


def register_watcher(kind: str, watcher: Watcher) -> None:
    """Have `watcher(accepted)` called in the transaction of each change of an object of `kind`, to its very end.

    It returns the objects whose status it changed by that, for the stream. For rooms that the kind's own room does not
    know: an SLO that learns that its pool is gone.
    """
    if watcher not in _watchers.setdefault(kind, []):
        _watchers[kind].append(watcher)


def tell_watchers(change: Accepted) -> list[DeclaredObject]:
    """Call the watchers of the change's kind; the objects whose status they changed."""
    return [obj for watcher in _watchers.get(change.obj.kind, []) for obj in watcher(change)]


def register_referrers(kind: str, referrers: Referrers) -> None:
    """Have `referrers(obj)` asked before an object of `kind` is deleted: names of what uses it ("Pool default/chat").

    The room whose documents refer to a kind registers this: so the referred kind needs to know nothing of it.
    """
    if referrers not in _referrers.setdefault(kind, []):
        _referrers[kind].append(referrers)


def referrers_of(obj: DeclaredObject) -> list[str]:
    """What uses an object now, sorted."""
    return sorted(name for ask in _referrers.get(obj.kind, []) for name in ask(obj))


def find_reference(kind: str, team: str, name: str, *, lock: bool = False) -> Any | None:
    """The living object that `name` means in a team's documents: the team's own, else the shared team's."""
    rows = get(kind).model.objects.living()
    if lock:
        rows = rows.select_for_update()
    for place in dict.fromkeys((team, SHARED_TEAM)):
        found = rows.named(place, name).first()
        if found is not None:
            return found
    return None
