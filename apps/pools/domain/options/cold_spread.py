"""Cold prompts are spread: one of which nothing is cached goes where none went for the longest time, so that prefills
do not pile up on one replica (llm-d: no-hit-lru)."""

from __future__ import annotations

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.options.option import Option
from apps.pools.domain.scheduling import Plugin, Scheduling

_SCORERS = ("prefix-cache-scorer", "precise-prefix-cache-scorer")


def _scheduling(context: Context, scheduling: Scheduling) -> Scheduling:
    weight = context.spec.routing.weights.cold_spread
    assert weight is not None
    scorer = next(p for p in scheduling.plugins if p.type in _SCORERS)
    parameters = {"prefixPluginType": scorer.type, "prefixPluginName": scorer.name or scorer.type}
    return scheduling.with_scorer(Plugin("no-hit-lru-scorer", parameters), weight)


def _prefixes(q: Question) -> str | None:
    weight = q.spec.routing.weights.cold_spread
    lost = q.spec.path == "wide-ep" and q.dialect is not None and not q.dialect.rank_ports
    if weight is not None and (lost or (q.spec.path == "predicted-latency" and _without(q))):
        return (
            f"path {q.spec.path} scores no prefixes there, so that no prompt can be told to be cold: leave "
            "routing.weights.coldSpread out"
        )
    return None


def _without(q: Question) -> bool:
    return q.dialect is not None and not q.dialect.picker_hash_seed


OPTION = Option(
    name="cold-spread",
    title="Cold prompts spread",
    about="A prompt of which nothing is cached goes to the replica that got none for the longest time.",
    on=lambda spec: spec.routing.weights.cold_spread is not None,
    invariants=(
        Invariant(
            "NoPrefixScores",
            "Something scores prefixes where cold prompts are spread.",
            _prefixes,
            "/spec/routing/weights",
        ),
    ),
    scheduling=_scheduling,
)
