"""The document kind of this room, and how an SLO learns what becomes of its pool or endpoint."""

from __future__ import annotations

from typing import Any

from apps.core.domain.conditions import Condition
from apps.core.kinds import Accepted, CheckContext, KindHandler
from apps.core.status import put_condition
from apps.slos.domain.slo import SLOSpec
from apps.slos.models import SLO
from apps.slos.subjects import has_picker, pools_of_slos, subject_of


class SLOKind(KindHandler):
    kind = "SLO"
    plural = "slos"
    singular = "slo"
    model = SLO
    spec_model = SLOSpec
    references = ("Pool", "Endpoint")

    def check(self, context: CheckContext) -> None:
        spec: SLOSpec = context.spec
        at, ref = "/spec/targetRef/name", spec.target_ref
        target = context.require(ref.kind, ref.name, at)
        if target is not None and target.team != context.team:
            context.refuse(
                at, f"{ref.kind} {ref.name} is of team {target.team}: an SLO stands in the team of what it is about"
            )
        elif target is not None and ref.kind == "Endpoint":
            subject = subject_of(context.team, spec)
            blind = [pool.name for pool in pools_of_slos([subject]).get(subject, ()) if not has_picker(pool)]
            if blind:
                context.refuse(
                    at,
                    f"Endpoint {ref.name} names pool {blind[0]}, which has no endpoint picker: nothing counts its "
                    "requests at a gateway. Give it one (routing.picker), or give each pool an SLO of its own",
                )

    def accepted(self, change: Accepted) -> None:
        if change.spec_changed:
            put_condition(change.obj, _ready(change.obj, change.spec, pool_is_there=True))


SLO_KIND = SLOKind()


def target_changed(change: Accepted) -> list[SLO]:
    """Watcher of pools and endpoints: an SLO is ready while what it is about is there. Returns those that changed."""
    if change.verb == "updated":
        return []
    target: Any = change.obj
    rows = (
        SLO.objects.select_for_update()
        .living()
        .filter(team=target.team, spec__targetRef__name=target.name, spec__targetRef__kind=type(target).__name__)
    )
    there = change.verb == "created"
    return [
        slo
        for slo in rows.order_by("name")
        if put_condition(slo, _ready(slo, SLOSpec.from_document(slo.spec), pool_is_there=there))
    ]


def _ready(slo: SLO, spec: SLOSpec, *, pool_is_there: bool) -> Condition:
    ref = spec.target_ref
    if pool_is_there:
        sentence = f"{ref.kind} {ref.name} is there."
        return Condition("Ready", "True", "TargetFound", sentence, slo.generation)
    sentence = f"{ref.kind} {ref.name} was deleted: declare it again, or delete this SLO."
    return Condition("Ready", "False", "TargetGone", sentence, slo.generation)
