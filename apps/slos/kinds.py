"""The document kind of this room."""

from __future__ import annotations

from apps.core.kinds import CheckContext, KindHandler
from apps.slos.domain.slo import SLOSpec
from apps.slos.models import SLO


class SLOKind(KindHandler):
    kind = "SLO"
    plural = "slos"
    singular = "slo"
    model = SLO
    spec_model = SLOSpec
    references = ("Pool",)

    def check(self, context: CheckContext) -> None:
        spec: SLOSpec = context.spec
        at, ref = "/spec/targetRef/name", spec.target_ref
        target = context.require(ref.kind, ref.name, at)
        if target is not None and target.team != context.team:
            context.refuse(
                at, f"{ref.kind} {ref.name} is of team {target.team}: an SLO stands in the team of what it is about"
            )


SLO_KIND = SLOKind()
