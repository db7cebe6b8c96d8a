"""Stored plans: made for a document or for what is declared; applied while what they rest on has not moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core import clock, services
from apps.core.domain.access import Actor
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Invalid, Missing, Refusal
from apps.core.models import ObjectKey
from apps.core.representation import declaration
from apps.core.services import Outcome
from apps.core.writes import Base, By, Written
from apps.core.yamlio import Document
from apps.pools import selectors
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.review import review_spec
from apps.pools.kinds import PoolKind
from apps.pools.models import Pool, PoolPlan
from apps.pools.planning import Made, Prospect, make_plan, prospect_of

KEPT_PER_POOL = 50
KEPT = timedelta(days=7)
MOST_TOUCHED = 20
DOCUMENT, DECLARATION, APPROVAL = "document", "declaration", "approval"
OPEN, APPLIED, SUPERSEDED = "open", "applied", "superseded"
# a pool that is only proposed has no uid yet
NO_UID = UUID(int=0)


@dataclass(frozen=True)
class Planned:
    """One document of a bundle, or a pool that it touches: what would be declared, and the plan where it is a pool.

    `because`: the document on whose account a pool is planned that the bundle does not hold.
    """

    kind: str
    team: str
    name: str
    action: str
    spec: list[dict[str, Any]]
    plan: PoolPlan | None = None
    problem: Refusal | None = None
    because: str = ""

    def to_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {
            "kind": self.kind,
            "team": self.team,
            "name": self.name,
            "action": self.action,
            "spec": self.spec,
            "because": self.because or None,
            "plan": representation(self.plan) if self.plan else None,
        }
        if self.problem is not None:
            row["problem"] = self.problem.to_json()
        return row


def plan_documents(documents: Sequence[Document], *, by: By, team: str, keep: bool = True) -> list[Planned]:
    """Plan what a bundle would change: each document's declaration, and the objects of every pool that it touches.

    Nothing is declared. Raises BundleRefused as apply does; what a cluster cannot say is a problem of that pool alone.
    """

    def look(outcomes: list[Outcome]) -> list[_Row]:
        return _look(outcomes, by.actor)

    return [_planned(row, by, keep) for row in services.rehearse(documents, look, by=by, team=team)]


def plan_document(document: Document, *, team: str, name: str, by: By, keep: bool = True) -> PoolPlan:
    """Plan one proposed declaration of a pool, which need not exist yet. Raises Refusals."""
    services.check_address(document, PoolKind(), team, name)
    planned = plan_documents([document], by=by, team=team, keep=keep)[0]
    if planned.problem is not None:
        raise planned.problem
    assert planned.plan is not None
    return planned.plan


def plan_pool(pool: Pool, *, by: By, keep: bool = True) -> PoolPlan:
    """Plan what the present declaration would still change in the cluster. Raises Refusals."""
    prospect = present(pool)
    return store(prospect, made(prospect), DECLARATION, by=by, keep=keep)


def present(pool: Pool) -> Prospect:
    """A pool as it is declared, to be planned against what is live."""
    standing = selectors.standing_of(pool)
    held = declaration(pool)
    if standing.waiting:
        held = {**held, "spec": standing.spec.to_document()} if standing.spec is not None else {}
    return prospect_of(pool, selectors.spec_of(pool), Base(held, pool.version, pool.generation))


def rehearsed(document: Document, *, team: str, by: By) -> Prospect:
    """A pool as a document would declare it, to be planned. Raises Refusals."""

    def look(outcomes: list[Outcome]) -> _Row:
        written = outcomes[0].written
        assert written is not None
        return _row(written)

    row = services.rehearse([document], look, by=by, team=team)
    if row.prospect is None:
        raise row.problem or Missing("The document is not one of a pool.")
    return row.prospect


def _base_of(pool: Pool) -> Base:
    return Base(declaration(pool), pool.version, pool.generation)


def store(
    prospect: Prospect, made: Made, origin: str, *, by: By, rests_on: Sequence[str] = (), keep: bool = True
) -> PoolPlan:
    """Keep a plan, and no more of them than anybody will look at.

    `rests_on`: other documents of its bundle without which it means nothing; such a plan cannot be applied by itself.
    """
    pool, base = prospect.pool, prospect.base
    proposed = origin == DOCUMENT
    plan = PoolPlan(
        team=pool.team,
        name=pool.name,
        pool_id=pool.uid if base is not None else None,
        origin=origin,
        created_at=clock.now(),
        actor=by.actor.id,
        reason=by.reason,
        document=prospect.document if proposed else None,
        base={
            "uid": str(pool.uid) if base is not None else None,
            "version": base.version if base is not None else None,
            "generation": base.generation if base is not None else None,
            "renderedHash": made.rendered_hash,
            "objects": made.objects,
            "restsOn": list(rests_on),
        },
        content=made.review.to_json(),
        generation=None if proposed else pool.generation,
    )
    if keep:
        with transaction.atomic():
            plan.save(force_insert=True)
            _trim(pool.team, pool.name)
    return plan


def representation(plan: PoolPlan, *, detail: bool = True) -> dict[str, Any]:
    """A plan over REST; without `detail` as in lists."""
    head = {
        "id": plan.pk,
        "team": plan.team,
        "pool": plan.name,
        "origin": plan.origin,
        "state": plan.state,
        "createdAt": format_time(plan.created_at),
        "actor": plan.actor,
        "reason": plan.reason or None,
        "base": {"generation": plan.base["generation"], "version": plan.base["version"]},
        "restsOn": plan.base["restsOn"],
        "generation": plan.generation,
        "consent": plan.consent,
        "decidedAt": format_time(plan.decided_at) if plan.decided_at else None,
        "decidedBy": plan.decided_by or None,
        "carriedOutAt": format_time(plan.carried_out_at) if plan.carried_out_at else None,
    }
    content = plan.content if detail else {"summary": plan.content["summary"]}
    return {**head, **content}


def find_plan(team: str, name: str, number: int) -> PoolPlan:
    """Raises Missing."""
    plan: PoolPlan | None = PoolPlan.objects.filter(pk=number, team=team, name=name).first()
    if plan is None:
        raise Missing(f"There is no plan {number} of pool {name} in team {team}: it may have been too old to keep.")
    return plan


def _trim(team: str, name: str) -> None:
    rows = PoolPlan.objects.filter(team=team, name=name)
    kept = list(rows.order_by("-id").values_list("pk", flat=True)[:KEPT_PER_POOL])
    rows.exclude(pk__in=kept).exclude(origin=APPROVAL, state=OPEN).delete()


def forget_old(*, limit: int = 1000) -> int:
    """Delete plans that nobody will apply any more, at most `limit` of them; returns how many went."""
    rows = PoolPlan.objects.filter(created_at__lt=clock.now() - KEPT)
    old = rows.exclude(origin=APPROVAL, state=OPEN).order_by("id").values("pk")[:limit]
    deleted, _ = PoolPlan.objects.filter(pk__in=old).delete()
    return deleted


@dataclass(frozen=True)
class _Row:
    """What the rehearsal saw of one document, or of a pool that it touches."""

    key: ObjectKey
    action: str
    spec: list[dict[str, Any]]
    prospect: Prospect | None = None
    problem: Refusal | None = None
    because: str = ""
    rests_on: tuple[str, ...] = ()


def _look(outcomes: list[Outcome], actor: Actor) -> list[_Row]:
    """Inside the rehearsal: read all that the plans will need."""
    rows: list[_Row] = []
    written = [outcome.written for outcome in outcomes if outcome.written is not None]
    for one in written:
        rows.append(_row(one))
    planned = {row.key for row in rows}
    for one in written:
        if one.action != "unchanged":
            rows += _touched(one, planned, actor)
    others = [str(one.obj.key) for one in written if one.action != "unchanged" and one.obj.kind in _RENDERED_FROM]
    return [replace(row, rests_on=tuple(key for key in others if _rests(row, key))) for row in rows]


# kinds whose documents decide with a pool's own what it is rendered to
_RENDERED_FROM = ("Model", "Cluster")


def _rests(row: _Row, key: str) -> bool:
    if row.prospect is None:
        return False
    model = selectors.model_of(row.prospect.pool)
    return key in {str(row.prospect.cluster.key), str(model.key) if model is not None else ""}


def _row(written: Written, because: str = "") -> _Row:
    obj = written.obj
    base = written.base
    spec = [f.to_json() for f in review_spec(base.declaration if base else None, declaration(obj))]
    if not isinstance(obj, Pool):
        return _Row(obj.key, written.action, spec, because=because)
    try:
        prospect = prospect_of(obj, selectors.spec_of(obj), base)
    except Refusal as refusal:
        return _Row(obj.key, written.action, spec, problem=refusal, because=because)
    if base is None:
        identity = replace(prospect.declared.identity, uid=str(NO_UID))
        prospect = replace(prospect, declared=replace(prospect.declared, identity=identity))
    return _Row(obj.key, written.action, spec, prospect, because=because)


def _touched(written: Written, planned: set[ObjectKey], actor: Actor) -> list[_Row]:
    """Pools, of those that one may see, that are rendered anew because of a Model or Cluster of the bundle."""
    obj = written.obj
    pools: list[Pool] = []
    if obj.kind == "Model":
        pools = selectors.serving(obj)
    elif obj.kind == "Cluster" and written.base is not None:
        pools = list(Pool.objects.living().filter(cluster_uid=obj.uid).order_by("team", "name"))
    rows: list[_Row] = []
    for pool in pools:
        if pool.key not in planned and len(rows) < MOST_TOUCHED and actor.may_read(pool.team):
            planned.add(pool.key)
            rows.append(_row(Written("unchanged", pool, _base_of(pool)), because=str(obj.key)))
    return rows


def _planned(row: _Row, by: By, keep: bool) -> Planned:
    head = (row.key.kind, row.key.team, row.key.name, row.action, row.spec)
    if row.prospect is None:
        return Planned(*head, problem=row.problem, because=row.because)
    try:
        found = made(row.prospect)
    except Refusal as refusal:
        return Planned(*head, problem=refusal, because=row.because)
    plan = store(row.prospect, found, DOCUMENT, by=by, rests_on=row.rests_on, keep=keep)
    return Planned(*head, plan=plan, because=row.because)


def made(prospect: Prospect) -> Made:
    """As `make_plan`; a pool that cannot be rendered is a Refusal."""
    try:
        return make_plan(prospect)
    except PlanRefused as refused:
        refusal = Invalid(f"{prospect.pool.key} cannot be rendered as declared: {refused}.")
        refusal.extra = {"reason": refused.reason}
        raise refusal from None
