"""Choosing the replica for a request: filter, sum of weight times score, pick."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from apps.embedded.gateway.domain.config import LabelFilter, PickerConfig
from apps.embedded.gateway.domain.endpoints import Candidate, Endpoint
from apps.embedded.gateway.domain.scorers import SCORERS


@dataclass(frozen=True, slots=True)
class Decision:
    """The chosen replica, and the weighted score of each candidate by its key, in the order in which to fall back."""

    chosen: Endpoint
    order: tuple[Endpoint, ...]
    scores: dict[str, float]


def filtered(candidates: Sequence[Candidate], filters: Sequence[LabelFilter]) -> list[Candidate]:
    """The candidates that pass every filter."""
    return [each for each in candidates if all(_passes(each.endpoint, one) for one in filters)]


def _passes(endpoint: Endpoint, one: LabelFilter) -> bool:
    value = endpoint.labels.get(one.label)
    return one.allow_missing if value is None else value in one.values


def weighted_scores(config: PickerConfig, candidates: Sequence[Candidate], blocks: int) -> list[float]:
    """Sum over the scorers of weight times score, each score clamped to 0..1."""
    totals = [0.0] * len(candidates)
    for scorer in config.scorers:
        scores = SCORERS[scorer.type](candidates, blocks, scorer.parameters)
        totals = [
            total + scorer.weight * min(1.0, max(0.0, score)) for total, score in zip(totals, scores, strict=True)
        ]
    return totals


def pick(config: PickerConfig, candidates: Sequence[Candidate], blocks: int, rng: random.Random) -> Decision | None:
    """The replica for a request whose prompt has `blocks` blocks; None when no candidate passes the filters.

    `max-score-picker` takes the highest score and breaks ties by chance; `weighted-random-picker` draws by key
    U^(1/score); `random-picker` draws evenly. `rng` is the only source of chance.
    """
    passing = filtered(candidates, config.filters)
    if not passing:
        return None
    totals = weighted_scores(config, passing, blocks)
    keys = [_key(config.picker, total, rng) for total in totals]
    order = sorted(range(len(passing)), key=keys.__getitem__, reverse=True)
    endpoints = tuple(passing[index].endpoint for index in order)
    scores = {each.endpoint.key: total for each, total in zip(passing, totals, strict=True)}
    return Decision(endpoints[0], endpoints, scores)


def _key(picker: str, score: float, rng: random.Random) -> tuple[float, float]:
    chance = rng.random()
    if picker == "max-score-picker":
        return score, chance
    if picker == "weighted-random-picker":
        return (chance ** (1 / score) if score > 0 else 0.0), chance
    return 0.0, chance
