"""Predicted latency: predicted-latency-producer, latency-scorer, slo-headroom-tier-filter, latency-slo-admitter; in
llm-d 0.5 one plugin, predicted-latency-scorer, foretells and scores.

headroom = what the client allows - what is foretold, for TTFT and TPOT. Replicas with headroom in both are the positive
tier: score = 0.8 n(TTFT) + 0.2 n(TPOT), n = min-max over the tier, turned round for the strategy `least` (the tightest
fit first). Without any, the negative tier: idle replicas, else those that miss TPOT only, else TTFT only, else both; in
the first of these groups that is not empty the smallest deficit wins. A client that allows nothing (no header) makes
every headroom 0 - foretold, so the lowest latency wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.physics.routing.parameters import Parameter, Parameters
from apps.physics.routing.plugin import PluginType, Wiring
from apps.physics.routing.predict import Features, Predictor
from apps.physics.routing.types import Candidate, Cycle


class LatencyPredictor:
    """Foretells per candidate; learns through `learn`."""

    def __init__(self, producer: str) -> None:
        self._producer = producer
        self.predictor = Predictor()

    def features(self, cycle: Cycle, candidate: Candidate) -> Features:
        """What the request would meet there."""
        load = candidate.load
        return Features(
            cycle.request.prompt.tokens,
            cycle.uncached(self._producer, candidate.key),
            candidate.inflight_tokens,
            load.waiting if load else 0,
            # what this picker has sent is fresher than the page
            max(candidate.inflight_requests, load.running + load.waiting if load else 0),
            load.kv_usage if load else 0.0,
        )

    def produce(self, cycle: Cycle) -> None:
        found = {each.key: self.predictor.foretell(self.features(cycle, each)) for each in cycle.candidates}
        cycle.predicted = {key: value for key, value in found.items() if value is not None}


class LatencyScore:
    def __init__(self, strategy: str, ttft: float, tpot: float, producer: str) -> None:
        self._strategy, self._producer = strategy, producer
        total = ttft + tpot or 1.0
        self._ttft, self._tpot = ttft / total, tpot / total

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        if self._strategy == "composite" or any(each.key not in cycle.predicted for each in candidates):
            return [self._composite(cycle, each) for each in candidates]
        room = [_headroom(cycle, each.key) for each in candidates]
        positive = [index for index, (first, between) in enumerate(room) if first >= 0 and between >= 0]
        if positive:
            wanted = self._combined([room[index] for index in positive])
            if self._strategy == "least":
                wanted = [1 - value for value in wanted]
            return _placed(len(candidates), positive, wanted)
        chosen = _negative_group(candidates, room)
        return _placed(len(candidates), chosen, self._combined([room[index] for index in chosen]))

    def _combined(self, room: Sequence[tuple[float, float]]) -> list[float]:
        first, between = _normal([one for one, _ in room]), _normal([other for _, other in room])
        return [self._ttft * one + self._tpot * other for one, other in zip(first, between, strict=True)]

    def _composite(self, cycle: Cycle, each: Candidate) -> float:
        """Nothing is foretold yet: free KV cache, short queue and prefix alike."""
        free = 1 - each.load.kv_usage if each.load else 0.0
        short = 1 / (1 + each.load.waiting) if each.load else 0.0
        return (free + short + cycle.match(self._producer, each.key).share) / 3


class PredictedLatencyScore(LatencyPredictor):
    """The plugin of 0.5: both."""

    def __init__(self, producer: str, scorer: LatencyScore) -> None:
        super().__init__(producer)
        self._scorer = scorer

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return self._scorer.score(cycle, candidates)


class HeadroomTier:
    """Keeps the positive tier; with `exploration` the negative one now and then, so that it is learned too."""

    def __init__(self, exploration: float) -> None:
        self._exploration = exploration

    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[Candidate]:
        positive = [each for each in candidates if each.key in cycle.predicted and min(_headroom(cycle, each.key)) >= 0]
        negative = [each for each in candidates if each not in positive]
        if not positive or not negative:
            return list(candidates)
        return negative if cycle.chance.random() < self._exploration else positive


class SloAdmitter:
    """Refuses a request of negative priority that no replica is foretold to serve within what its client allows."""

    def refuse(self, cycle: Cycle) -> str | None:
        request = cycle.request
        if request.priority >= 0 or not (request.slo_ttft or request.slo_tpot) or not cycle.predicted:
            return None
        if any(min(_headroom(cycle, key)) >= 0 for key in cycle.predicted):
            return None
        return "no replica is expected to meet the latency that the request allows, and its priority is negative"


def _headroom(cycle: Cycle, key: str) -> tuple[float, float]:
    request, foretold = cycle.request, cycle.predicted[key]
    if not request.slo_ttft and not request.slo_tpot:
        return -foretold.ttft, -foretold.tpot
    first = request.slo_ttft - foretold.ttft if request.slo_ttft else 0.0
    return first, request.slo_tpot - foretold.tpot if request.slo_tpot else 0.0


def _negative_group(candidates: Sequence[Candidate], room: Sequence[tuple[float, float]]) -> list[int]:
    """The best group that is not empty. Where the client allows nothing everybody is in the last: idle ones would win
    over warm ones without a reason."""
    groups: tuple[list[int], ...] = ([], [], [], [])
    free = all(first < 0 and between < 0 for first, between in room)
    for index, (first, between) in enumerate(room):
        if not free and not candidates[index].inflight_requests:
            groups[0].append(index)
        elif first >= 0:
            groups[1].append(index)
        elif between >= 0:
            groups[2].append(index)
        else:
            groups[3].append(index)
    return next(group for group in groups if group)


def _normal(values: Sequence[float]) -> list[float]:
    least, most = min(values), max(values)
    return [1.0 if most == least else (value - least) / (most - least) for value in values]


def _placed(count: int, positions: Sequence[int], values: Sequence[float]) -> list[float]:
    scores = [0.0] * count
    for index, value in zip(positions, values, strict=True):
        # the worst of the group still comes before everybody outside of it
        scores[index] = 0.01 + 0.99 * value
    return scores


def _make_score(parameters: Parameters, wiring: Wiring) -> LatencyScore:
    return LatencyScore(
        parameters["headroomSelectionStrategy"],
        parameters["headroomTTFTWeight"],
        parameters["headroomTPOTWeight"],
        wiring.prefix_producer,
    )


def _make_now(parameters: Parameters, wiring: Wiring) -> LatencyScore:
    return LatencyScore(
        parameters["headroomSelectionStrategy"],
        parameters["ttftWeight"],
        parameters["tpotWeight"],
        parameters["prefixMatchInfoProducerName"] or wiring.prefix_producer,
    )


def _make_both(parameters: Parameters, wiring: Wiring) -> Any:
    return PredictedLatencyScore(wiring.prefix_producer, _make_score(parameters, wiring))


SCORE = (
    Parameter("headroomSelectionStrategy", "string", "least", choices=("least", "most", "composite")),
    Parameter("headroomTTFTWeight", "number", 0.8, least=0),
    Parameter("headroomTPOTWeight", "number", 0.2, least=0),
)
PREDICT = (
    Parameter("samplingMean", "number", 1000.0, least=0),
    Parameter("maxSampledTokens", "integer", 20, least=1),
    Parameter("sloBufferFactor", "number", 1.0, least=0),
)
# the streamed answers alone teach it
STREAMED = Parameter("streamingMode", "boolean", False)
NOW = (
    Parameter("headroomSelectionStrategy", "string", "least", choices=("least", "most", "composite")),
    Parameter("ttftWeight", "number", 0.8, least=0),
    Parameter("tpotWeight", "number", 0.2, least=0),
    Parameter("prefixMatchInfoProducerName", "string", ""),
    Parameter("latencyPredictionInfoProducerName", "string", ""),
)
OLD = (
    Parameter("negHeadroomTTFTWeight", "number", 0.8, least=0),
    Parameter("negHeadroomTPOTWeight", "number", 0.2, least=0),
    Parameter("affinityGateTau", "number", 0.8, least=0, most=1),
    Parameter("affinityGateTauGlobal", "number", 0.99, least=0, most=1),
    Parameter("epsilonExploreSticky", "number", 0.01, least=0, most=1),
    Parameter("epsilonExploreNeg", "number", 0.01, least=0, most=1),
    Parameter("selectionMode", "string", "linear", choices=("linear", "max")),
)

PLUGINS = (
    PluginType(
        "predicted-latency-producer",
        "producer",
        "Foretells TTFT and TPOT per replica",
        lambda parameters, wiring: LatencyPredictor(
            parameters["prefixMatchInfoProducerName"] or wiring.prefix_producer
        ),
        (*PREDICT, STREAMED, Parameter("prefixMatchInfoProducerName", "string", "")),
        releases=("current",),
        instead="predicted-latency-scorer",
    ),
    PluginType(
        "latency-scorer",
        "scorer",
        "Foretold latency against what the client allows",
        _make_now,
        NOW,
        releases=("current",),
        instead="predicted-latency-scorer",
    ),
    PluginType(
        "predicted-latency-scorer",
        "scorer",
        "Foretells latency and scores it against what the client allows",
        _make_both,
        (*PREDICT, STREAMED, *SCORE, *OLD),
        releases=("0.5",),
        instead="predicted-latency-producer with latency-scorer",
    ),
    PluginType(
        "slo-headroom-tier-filter",
        "filter",
        "Only replicas foretold to meet what the client allows",
        lambda parameters, _wiring: HeadroomTier(parameters["epsilonExploreNeg"]),
        (Parameter("epsilonExploreNeg", "number", 0.01, least=0, most=1),),
        releases=("current",),
    ),
    PluginType(
        "latency-slo-admitter",
        "admitter",
        "Refuses low priorities that nobody can serve in time",
        lambda _p, _w: SloAdmitter(),
        releases=("current",),
    ),
)
