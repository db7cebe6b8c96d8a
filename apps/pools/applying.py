"""Applying a stored plan: only while everything that it was made on is as it was, and only once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction

from apps.clusters.errors import ClusterAway, KubeError
from apps.clusters.selectors import kube_for
from apps.core import clock, services
from apps.core.domain.documents import API_VERSION
from apps.core.domain.refusals import Clash, Fault
from apps.core.writes import By
from apps.core.yamlio import Document, Place
from apps.pools import plans, selectors
from apps.pools.desired import desired_of
from apps.pools.domain.managers import newest, writers_of
from apps.pools.domain.manifests import Manifest, PlanRefused
from apps.pools.domain.plan import MANAGER, SCALER
from apps.pools.kinds import PoolKind
from apps.pools.models import Pool, PoolPlan, PoolRevision
from apps.pools.planning import Prospect, fingerprint, live_objects
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority

CONSENTS = ("recreate",)


class PlanMoved(Clash):
    """What a plan was made on is not there any more; the faults say what moved."""

    type = "plan-moved"
    title = "What the plan was made on has moved"


class ConsentNeeded(Clash):
    """The plan does something that a person must say yes to."""

    type = "consent-needed"
    title = "This plan needs consent"


def apply_plan(plan: PoolPlan, *, by: By, consent: Collection[str] = ()) -> PoolPlan:
    """Make a plan true: declare its document, or let the controller go on with what is declared. Raises Refusals.

    The cluster is asked first whether it still is as the plan saw it; no transaction spans that.
    """
    _refuse_unless_open(plan)
    if plan.base.get("restsOn"):
        raise Clash(
            f"Plan {plan.pk} means nothing without {', '.join(plan.base['restsOn'])} of its bundle: apply the bundle."
        )
    missing = set(plan.content["summary"].get("consentNeeded") or ()) - set(consent)
    if missing:
        raise ConsentNeeded(
            f"Plan {plan.pk} deletes objects and makes them anew ({plan.content['summary']['sentence']}): "
            f"send consent to {', '.join(sorted(missing))} with it.",
            [Fault("/consent", f"needs {word}") for word in sorted(missing)],
        )
    moved = _moved(plan, by)
    if moved:
        raise PlanMoved(
            f"Plan {plan.pk} of Pool {plan.team}/{plan.name} was made on something else than what is there now "
            f"({len(moved)} difference{'s' if len(moved) != 1 else ''}): make a new one.",
            moved,
        )
    with transaction.atomic():
        # in the order of all writers: the pool, then what belongs to it
        list(Pool.objects.select_for_update().named(plan.team, plan.name).values_list("pk"))
        plan = PoolPlan.objects.select_for_update().get(pk=plan.pk)
        _refuse_unless_open(plan)
        pool = _declared(plan, by) if plan.origin == plans.DOCUMENT else Pool.objects.get(uid=plan.base["uid"])
        waiting = PoolRevision.objects.filter(pool=pool, generation=pool.generation, approved_at=None)
        waiting.update(approved_at=clock.now(), approved_by=by.actor.id)
        plan.pool_id = pool.uid
        plan.generation = pool.generation
        plan.state, plan.decided_at, plan.decided_by = plans.APPLIED, clock.now(), by.actor.id
        plan.consent = sorted(set(consent))
        plan.save(update_fields=["pool", "generation", "state", "decided_at", "decided_by", "consent"])
        reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.PERSON, shard=str(pool.cluster_uid))
    return plan


def _refuse_unless_open(plan: PoolPlan) -> None:
    if plan.state != plans.OPEN:
        raise Clash(f"Plan {plan.pk} is {plan.state} already: make a new one.")


def _declared(plan: PoolPlan, by: By) -> Pool:
    document = Document(_document(plan), Place(1, 1))
    why = By(by.actor, by.request_id, by.reason or plan.reason)
    handler = PoolKind()
    if plan.base["uid"] is None:
        written = services.create(handler, document, team=plan.team, by=why)
    else:
        etag = f'"{plan.base["uid"]}:{plan.base["version"]}"'
        written = services.replace_with(handler, document, team=plan.team, name=plan.name, etags=(etag,), by=why)
    pool: Pool = written.obj
    return pool


def _document(plan: PoolPlan) -> dict[str, Any]:
    assert plan.document is not None
    metadata = {
        "name": plan.name,
        "team": plan.team,
        "labels": plan.document["labels"],
        "annotations": plan.document["annotations"],
    }
    return {"apiVersion": API_VERSION, "kind": "Pool", "metadata": metadata, "spec": plan.document["spec"]}


def _moved(plan: PoolPlan, by: By) -> list[Fault]:
    """What is not as the plan saw it: the declaration, what it renders to, the live objects."""
    pool: Pool | None = Pool.objects.named(plan.team, plan.name).first()
    found = _moved_declaration(plan, pool)
    if found and (pool is None or str(pool.uid) != plan.base.get("uid")):
        return found
    prospect = _prospect(plan, pool, by) if not found else None
    cluster = prospect.cluster if prospect is not None else selectors.cluster_of(pool) if pool is not None else None
    if cluster is None:
        return found
    try:
        kube = kube_for(cluster)
        if prospect is not None:
            found += _moved_rendering(plan, prospect, kube.resources())
        live = live_objects(kube, pool) if pool is not None else {}
    except KubeError as error:
        raise ClusterAway(f"The cluster of {plan.team}/{plan.name} cannot be asked what is there: {error}.") from error
    return found + _moved_objects(plan, live)


def _moved_declaration(plan: PoolPlan, pool: Pool | None) -> list[Fault]:
    base = plan.base
    if pool is None:
        return [Fault("/base", "the pool is gone")] if base.get("uid") else []
    if base.get("uid") is None:
        return [Fault("/base", "there is a pool of this name now, and the plan was of a new one")]
    if str(pool.uid) != base["uid"]:
        return [Fault("/base", "the pool was deleted and declared anew")]
    if pool.deletion_requested_at is not None:
        return [Fault("/base", "the pool is being deleted")]
    if pool.generation != base["generation"]:
        detail = f"the pool is at generation {pool.generation} now, the plan was made on {base['generation']}"
        return [Fault("/base/generation", detail)]
    if pool.version != base["version"]:
        detail = f"the pool is at version {pool.version} now, the plan was made on {base['version']}"
        return [Fault("/base/version", detail)]
    return []


def _prospect(plan: PoolPlan, pool: Pool | None, by: By) -> Prospect:
    if plan.origin == plans.DOCUMENT:
        return plans.rehearsed(Document(_document(plan), Place(1, 1)), team=plan.team, by=by)
    assert pool is not None
    return plans.present(pool)


def _moved_rendering(plan: PoolPlan, prospect: Prospect, kinds: Collection[str]) -> list[Fault]:
    try:
        now = desired_of(prospect.declared, kinds).declared_hash
    except PlanRefused as refused:
        return [Fault("/base/renderedHash", f"it cannot be rendered any more: {refused}")]
    if now == plan.base.get("renderedHash"):
        return []
    detail = "the same declaration renders to other objects now: its model, its cluster or Lamplight itself has changed"
    return [Fault("/base/renderedHash", detail)]


def _moved_objects(plan: PoolPlan, live: Mapping[str, Manifest]) -> list[Fault]:
    seen = {f"{row['kind']}/{row['name']}": row for row in plan.base.get("objects") or []}
    found = []
    for at in sorted(seen.keys() | live.keys()):
        title = at.replace("/", " ", 1)
        if at not in live:
            found.append(Fault(f"/objects/{at}", f"{title} is gone"))
        elif at not in seen:
            found.append(Fault(f"/objects/{at}", f"{title} is new"))
        elif (now := fingerprint(live[at]))["uid"] != seen[at]["uid"]:
            found.append(Fault(f"/objects/{at}", f"{title} was deleted and made anew"))
        elif now["digest"] != seen[at]["digest"]:
            writers = [w for w in writers_of(live[at], ()) if w.subresource not in ("status", "scale")]
            writer = newest(writers, but=frozenset({MANAGER, SCALER})) or newest(writers)
            said = f"{title} was changed"
            if writer is not None:
                said += f"; {writer.manager} wrote it" + (f" at {writer.at}" if writer.at else "")
            found.append(Fault(f"/objects/{at}", said))
    return found
