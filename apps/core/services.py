"""Ways to write declared objects: one at a time, as a bundle, and the end of a deletion. Each is one transaction.

A dry run goes the same way and is rolled back at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from apps.core import access, kinds, transactions, writes
from apps.core.domain.access import SYSTEM
from apps.core.domain.documents import API_VERSION, Envelope, read_envelope
from apps.core.domain.merge import merged
from apps.core.domain.refusals import Clash, Fault, Invalid, Malformed, Refusal
from apps.core.models import DeclaredObject, ObjectKey
from apps.core.representation import full
from apps.core.writes import By, Expectation, Journal, Written
from apps.core.yamlio import Document

__all__ = [
    "By",
    "Outcome",
    "Written",
    "apply_documents",
    "check_address",
    "create",
    "delete",
    "finish_deletion",
    "patch",
    "rehearse",
    "replace_with",
]

DEFAULT_TEAM = "default"
T = TypeVar("T")


@dataclass(frozen=True)
class Outcome:
    """What became of one document of a bundle: what was written, or why not. Team and name as far as known."""

    kind: str
    team: str
    name: str
    written: Written | None = None
    refusal: Refusal | None = None

    def to_json(self) -> dict[str, Any]:
        head = {"kind": self.kind, "team": self.team, "name": self.name}
        if self.refusal is not None:
            return {**head, "problem": self.refusal.to_json()}
        assert self.written is not None
        return {**head, "action": self.written.action, "object": full(self.written.obj)}


class BundleRefused(Refusal):
    """No document of the bundle was taken; `outcomes` say which ones were wrong."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        refused = [o for o in outcomes if o.refusal is not None]
        refusals = [o.refusal for o in refused if o.refusal is not None]
        first = refusals[0]
        self.status, self.type, self.title = first.status, first.type, first.title
        if len({r.status for r in refusals}) > 1:
            self.status, self.type, self.title = Invalid.status, Invalid.type, Invalid.title
        count = f"{len(refused)} of {len(outcomes)} documents" if len(outcomes) > 1 else "The document"
        verb = "were" if len(refused) > 1 else "was"
        detail = f"{count} {verb} refused, so nothing was changed: {first.detail}"
        faults = [fault for r in refusals for fault in (r.faults or (Fault("", r.detail),))]
        super().__init__(detail, faults, headers=first.headers if len(refusals) == 1 else None)
        self.extra = {"items": [o.to_json() for o in refused]}


@dataclass
class _Entry:
    """A document of a bundle on its way."""

    index: int
    document: Document
    envelope: Envelope | None = None
    team: str = ""
    written: Written | None = None
    refusal: Refusal | None = None

    @property
    def key(self) -> ObjectKey:
        assert self.envelope is not None
        return ObjectKey(self.envelope.kind, self.team, self.envelope.metadata.name)

    def refuse(self, refusal: Refusal) -> None:
        """Keep the refusal, with each fault placed in the text."""
        faults = refusal.faults or (Fault("", refusal.detail),)
        refusal.faults = tuple(replace(self.document.placed(f), document=self.index) for f in faults)
        self.refusal = refusal

    def outcome(self) -> Outcome:
        if self.envelope is not None:
            kind, team, name = self.key
        else:
            kind, team, name = _said(self.document.value)
        return Outcome(kind, team or self.team, name, self.written, self.refusal)


def apply_documents(
    documents: Sequence[Document], *, by: By, team: str = DEFAULT_TEAM, dry_run: bool = False
) -> list[Outcome]:
    """Make everything that the documents declare true, or nothing: outcomes in the order of the documents.

    A document without a team is of `team`. Lists (`items: [...]`) are taken apart. Those that are referred to are
    written before those that refer to them. Raises BundleRefused, Malformed (no document at all).
    """
    entries = _entries(documents, team)
    return transactions.run(lambda journal: _write_bundle(entries, journal), by=by, dry_run=dry_run)


def rehearse(
    documents: Sequence[Document], look: Callable[[list[Outcome]], T], *, by: By, team: str = DEFAULT_TEAM
) -> T:
    """As a dry run of `apply_documents`, but answers what `look(outcomes)` saw of the database as it would be.

    `look` runs inside the transaction that is rolled back: it may only read.
    """
    entries = _entries(documents, team)
    return transactions.run(lambda journal: look(_write_bundle(entries, journal)), by=by, dry_run=True)


def _entries(documents: Sequence[Document], team: str) -> list[_Entry]:
    entries = [_Entry(i, d) for i, d in enumerate(_unpacked(documents))]
    if not entries:
        raise Malformed("There is no document in the text.")
    order = [handler.kind for handler in kinds.all_handlers()]
    for entry in entries:
        try:
            entry.envelope = read_envelope(entry.document.value, order)
            entry.team = entry.envelope.metadata.team or team
        except Invalid as refused:
            entry.refuse(refused)
    _refuse_doubles(e for e in entries if e.envelope is not None)
    return entries


def _write_bundle(entries: Sequence[_Entry], journal: Journal) -> list[Outcome]:
    order = [handler.kind for handler in kinds.all_handlers()]
    attempt = [replace(entry) for entry in entries]
    readable = [e for e in attempt if e.envelope is not None]
    # every bundle locks rows in one order: two of them cannot wait for each other
    for entry in sorted(readable, key=lambda e: (order.index(e.key.kind), e.key)):
        if entry.refusal is None:
            _apply_one(entry, journal, frozenset(e.key for e in readable if e.refusal is not None))
    if any(e.refusal is not None for e in attempt):
        raise BundleRefused([e.outcome() for e in attempt])
    return [e.outcome() for e in attempt]


def check_address(document: Document, handler: kinds.KindHandler, team: str, name: str) -> None:
    """Refuse a document that is of another kind, team or name than the address that it was sent to."""
    try:
        _check_address(read_envelope(document.value, [handler.kind]), team, name)
    except Refusal as refusal:
        raise _placed(refusal, document) from None


def create(handler: kinds.KindHandler, document: Document, *, team: str, by: By, dry_run: bool = False) -> Written:
    """A new object from its document. Raises Refusals (Clash where the name is taken)."""
    return _write_one(handler, document, document.value, team, None, Expectation(exists=False), by, dry_run)


def replace_with(
    handler: kinds.KindHandler,
    document: Document,
    *,
    team: str,
    name: str,
    etags: tuple[str, ...],
    by: By,
    dry_run: bool = False,
) -> Written:
    """The whole declaration of an object anew. Raises Refusals (VersionNeeded without etags, Stale)."""
    expect = Expectation(exists=True, etags=etags)
    return _write_one(handler, document, document.value, team, name, expect, by, dry_run)


def patch(
    handler: kinds.KindHandler,
    document: Document,
    *,
    team: str,
    name: str,
    etags: tuple[str, ...],
    by: By,
    dry_run: bool = False,
) -> Written:
    """Change parts of a declaration by a JSON merge patch. Raises Refusals as `replace_with`."""
    if not isinstance(document.value, dict):
        raise Malformed("A merge patch is a mapping.", [document.placed(Fault("", "a merge patch is a mapping"))])
    for key in document.value:
        if key not in ("apiVersion", "kind", "metadata", "spec"):
            raise _placed(
                Invalid.of([Fault(f"/{key}", f"{key} cannot be patched: only metadata and spec are declared")]),
                document,
            )
    access.require_read(by.actor, team)
    obj = handler.model.objects.named(team, name).first()
    if obj is None:
        raise writes.missing(handler, team, name)
    present = {
        "apiVersion": API_VERSION,
        "kind": handler.kind,
        "metadata": {"name": name, "team": team, "labels": obj.labels, "annotations": obj.annotations},
        "spec": obj.spec,
    }
    # the row is not locked yet: the patch counts only for the version that it was computed on
    expect = Expectation(exists=True, etags=etags)
    if etags and ("*" in etags or obj.etag in etags):
        expect = Expectation(exists=True, etags=(obj.etag,))
    return _write_one(handler, document, merged(present, document.value), team, name, expect, by, dry_run)


def delete(
    handler: kinds.KindHandler,
    *,
    team: str,
    name: str,
    etags: tuple[str, ...],
    by: By,
    dry_run: bool = False,
    orphan: bool = False,
) -> Written:
    """Ask for an object's deletion: `deleted` when it is gone, `deleting` when its controller has to finish it.

    `orphan`: it is gone at once, and what it owns in a cluster stays there, for a cluster that is no more.
    """
    expect = Expectation(exists=True, etags=etags)
    return transactions.run(
        lambda journal: writes.delete(handler, team=team, name=name, expect=expect, journal=journal, orphan=orphan),
        by=by,
        dry_run=dry_run,
    )


@transaction.atomic
def finish_deletion(obj: DeclaredObject, *, reason: str = "") -> bool:
    """Called by an object's controller when all that it owned is gone: removes the row, records and publishes it.

    False where the row was gone already. Raises ValueError where nobody asked for the deletion.
    """
    journal = Journal(By(SYSTEM, reason=reason))
    if not writes.finish(kinds.get(obj.kind), obj, journal=journal):
        return False
    journal.write()
    return True


def _apply_one(entry: _Entry, journal: Journal, refused: frozenset[ObjectKey]) -> None:
    assert entry.envelope is not None
    handler = kinds.get(entry.envelope.kind)
    try:
        with transaction.atomic():
            entry.written = writes.declare(
                handler, entry.envelope, team=entry.team, expect=Expectation(), journal=journal, refused=refused
            )
    except IntegrityError:
        entry.refuse(_created_meanwhile(entry.key))
    except Refusal as refusal:
        entry.refuse(refusal)


def _write_one(
    handler: kinds.KindHandler,
    document: Document,
    value: Any,
    team: str,
    name: str | None,
    expect: Expectation,
    by: By,
    dry_run: bool,
) -> Written:
    def write(journal: Journal) -> Written:
        access.require_write(by.actor, team)
        envelope = read_envelope(value, [handler.kind])
        _check_address(envelope, team, name)
        return writes.declare(handler, envelope, team=team, expect=expect, journal=journal)

    try:
        return transactions.run(write, by=by, dry_run=dry_run)
    except IntegrityError:
        raise _created_meanwhile(ObjectKey(handler.kind, team, name or "")) from None
    except Refusal as refusal:
        raise _placed(refusal, document) from None


def _placed(refusal: Refusal, document: Document) -> Refusal:
    refusal.faults = tuple(document.placed(fault) for fault in refusal.faults)
    return refusal


def _created_meanwhile(key: ObjectKey) -> Clash:
    return Clash(f"{key} was created by somebody else at this moment: read it and try again.")


def _check_address(envelope: Envelope, team: str, name: str | None) -> None:
    faults = []
    if envelope.metadata.team not in (None, team):
        faults.append(
            Fault("/metadata/team", f"the document is of team {envelope.metadata.team}, the address of {team}")
        )
    if name is not None and envelope.metadata.name != name:
        faults.append(
            Fault("/metadata/name", f"the document is named {envelope.metadata.name}, the address {name}; names stay")
        )
    if faults:
        raise Invalid.of(faults)


def _refuse_doubles(entries: Iterable[_Entry]) -> None:
    seen: dict[ObjectKey, _Entry] = {}
    for entry in entries:
        first = seen.setdefault(entry.key, entry)
        if first is not entry:
            line = first.document.place("/metadata/name").line
            detail = f"{entry.key} stands twice in this bundle; the first is in line {line}"
            entry.refuse(Invalid.of([Fault("/metadata/name", detail)]))


def _unpacked(documents: Iterable[Document]) -> Iterable[Document]:
    """Documents, with lists of documents taken apart; the places stay those of the text."""
    for document in documents:
        value = document.value
        if isinstance(value, list):
            prefix, items = "", value
        elif isinstance(value, dict) and isinstance(value.get("items"), list) and "metadata" not in value:
            prefix, items = "/items", value["items"]
        else:
            yield document
            continue
        for i, item in enumerate(items):
            yield document.part(f"{prefix}/{i}", item)


def _said(value: Any) -> tuple[str, str, str]:
    """Kind, team and name as a broken document gives them, "" where it does not."""
    metadata = value.get("metadata") if isinstance(value, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    words = (value.get("kind") if isinstance(value, dict) else None, metadata.get("team"), metadata.get("name"))
    kind, team, name = (word[:60] if isinstance(word, str) else "" for word in words)
    return kind, team, name
