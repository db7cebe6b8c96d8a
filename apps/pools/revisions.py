"""Accepted specs of a pool: compare any two, and go back to one by declaring it anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.accounts.selectors import names_of_actors
from apps.core import services
from apps.core.domain.conditions import format_time
from apps.core.domain.documents import API_VERSION
from apps.core.domain.refusals import Clash, Invalid, Missing
from apps.core.services import Written
from apps.core.writes import By, same_value
from apps.core.yamlio import Document, Place
from apps.pools import selectors
from apps.pools.desired import desired_of, gather
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.review import Answered, review_objects, review_spec
from apps.pools.domain.spec import PoolSpec
from apps.pools.kinds import PoolKind
from apps.pools.models import Pool, PoolRevision


def find_revision(pool: Pool, generation: int) -> PoolRevision:
    """Raises Missing."""
    found: PoolRevision | None = pool.revisions.filter(generation=generation).first()
    if found is None:
        raise Missing(f"{pool.key} has no revision of generation {generation}.")
    return found


def representations(revisions: Sequence[PoolRevision], *, spec: bool = True) -> list[dict[str, Any]]:
    """Revisions over REST; `author` is who declared it by name, `actor` the id that records keep."""
    names = names_of_actors({revision.actor for revision in revisions})
    return [_representation(revision, names, spec=spec) for revision in revisions]


def _representation(revision: PoolRevision, names: dict[str, str], *, spec: bool) -> dict[str, Any]:
    row = {
        "generation": revision.generation,
        "acceptedAt": format_time(revision.accepted_at),
        "actor": revision.actor,
        "author": names.get(revision.actor, revision.actor),
        "reason": revision.reason or None,
        "renderedHash": revision.rendered_hash or None,
        "approvedAt": format_time(revision.approved_at) if revision.approved_at else None,
        "approvedBy": revision.approved_by or None,
    }
    return {**row, "spec": revision.spec} if spec else row


def compare(pool: Pool, before: int, after: int) -> dict[str, Any]:
    """What changed from one revision to another: fields of the spec, and of the objects as both would render today."""
    one, other = find_revision(pool, before), find_revision(pool, after)
    objects, why_not = _objects(pool, one, other)
    before_row, after_row = representations([one, other], spec=False)
    return {
        "from": before_row,
        "to": after_row,
        "spec": [f.to_json() for f in review_spec({"spec": _in_full(one)}, {"spec": _in_full(other)})],
        "objects": objects,
        "reason": why_not,
    }


def roll_back(pool: Pool, generation: int, *, by: By, etags: tuple[str, ...], dry_run: bool = False) -> Written:
    """Declare an old spec anew: a new generation, checked by the rules of today. Raises Refusals."""
    revision = find_revision(pool, generation)
    if same_value(revision.spec, pool.spec):
        raise Clash(f"{pool.key} is declared as in generation {generation} already: there is nothing to roll back.")
    metadata = {"name": pool.name, "team": pool.team, "labels": pool.labels, "annotations": pool.annotations}
    document = {"apiVersion": API_VERSION, "kind": "Pool", "metadata": metadata, "spec": revision.spec}
    why = By(by.actor, by.request_id, by.reason or f"roll back to generation {generation}")
    return services.replace_with(
        PoolKind(),
        Document(document, Place(1, 1)),
        team=pool.team,
        name=pool.name,
        etags=etags,
        by=why,
        dry_run=dry_run,
    )


def _in_full(revision: PoolRevision) -> dict[str, Any]:
    """The spec with the fields that specs have got since, at their defaults."""
    try:
        return PoolSpec.from_document(revision.spec).to_document()
    except Invalid:
        return dict(revision.spec)


def _objects(pool: Pool, one: PoolRevision, other: PoolRevision) -> tuple[list[dict[str, Any]] | None, str | None]:
    cluster = selectors.cluster_of(pool)
    kinds = (cluster.status.get("kinds") if cluster is not None else None) or []
    if cluster is None or not kinds:
        return None, "its cluster has not been seen yet, so it is not known which objects the pool would have"
    try:
        rendered = [
            desired_of(gather(pool, PoolSpec.from_document(revision.spec), cluster), kinds).objects
            for revision in (one, other)
        ]
    except PlanRefused as refused:
        return None, f"one of the two cannot be rendered today: {refused}"
    was = {(o["kind"], o["metadata"]["name"]): o for o in rendered[0]}
    answers = [Answered(o, was.pop((o["kind"], o["metadata"]["name"]), None), after=o) for o in rendered[1]]
    reviewed = review_objects(answers, list(was.values()), {})
    return [obj.to_json() for obj in reviewed if obj.action != "unchanged"], None
