"""Scheduling a request: producers, filters, the sum of weight times score, the picker; for each profile in turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.physics.routing.config import PickerConfig, Profile
from apps.physics.routing.plugins.latency import LatencyPredictor
from apps.physics.routing.plugins.precise import PrecisePrefix
from apps.physics.routing.plugins.prefix import ApproximatePrefix
from apps.physics.routing.plugins.session import SessionAffinity, token
from apps.physics.routing.types import Candidate, Chance, Cycle, Endpoint, Load, Request

PREFILL_HEADER = "x-prefiller-host-port"


@dataclass(frozen=True, slots=True)
class Run:
    """One profile's choice.

    dropped: (filter, keys that it took out), where it took some. candidates: those left. scores: (scorer, weight, one
    score a candidate, clamped to 0..1). totals: their weighted sums. order: the endpoints, the chosen one first.
    """

    profile: str
    dropped: tuple[tuple[str, tuple[str, ...]], ...]
    candidates: tuple[Candidate, ...]
    scores: tuple[tuple[str, float, tuple[float, ...]], ...]
    totals: tuple[float, ...]
    picker: str
    order: tuple[Endpoint, ...]

    @property
    def chosen(self) -> Endpoint:
        return self.order[0]


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a request goes. run: the profile whose replica the client is sent to. prefill: the other one's, where the
    prompt is computed elsewhere; offered: it was asked for but no replica could."""

    cycle: Cycle
    run: Run
    prefill: Run | None = None
    offered: bool = False

    @property
    def chosen(self) -> Endpoint:
        return self.run.chosen

    @property
    def order(self) -> tuple[Endpoint, ...]:
        """The replicas in the order in which to fall back."""
        return self.run.order

    @property
    def scores(self) -> dict[str, float]:
        """The weighted sum of each candidate by its key."""
        return {each.key: total for each, total in zip(self.run.candidates, self.run.totals, strict=True)}


@dataclass(frozen=True, slots=True)
class Refused:
    """The request is not let in; the sentence says why."""

    reason: str


class Scheduler:
    """Executes one configuration. Deterministic: the caller hands in time and chance."""

    def __init__(self, config: PickerConfig) -> None:
        self.config = config
        instances = list(config.instances.values())
        self._producers = [each for each in instances if hasattr(each, "produce")]
        self._admitters = [each for each in instances if hasattr(each, "refuse")]
        self._routed = [each for each in instances if hasattr(each, "routed")]
        self._forget = [each for each in instances if hasattr(each, "forget")]
        self._loaded = [each for each in instances if hasattr(each, "loaded")]
        # what is foretold needs the matches of all others
        self._producers.sort(key=lambda each: isinstance(each, LatencyPredictor))
        self.precise = tuple(each for each in instances if isinstance(each, PrecisePrefix))
        """Whose indexes KV events fill."""
        self.approximate = tuple(each for each in instances if isinstance(each, ApproximatePrefix))
        self.predictor = next((each for each in instances if isinstance(each, LatencyPredictor)), None)
        self.sessions = tuple(each for each in instances if isinstance(each, SessionAffinity))

    def schedule(
        self, request: Request, candidates: Sequence[Candidate], chance: Chance, now: float = 0.0
    ) -> Decision | Refused | None:
        """Where `request` goes; None when no candidate passes the filters. Nothing is remembered of it: see `sent`."""
        cycle = Cycle(request, candidates, chance, now)
        for producer in self._producers:
            producer.produce(cycle)
        for admitter in self._admitters:
            reason = admitter.refuse(cycle)
            if reason is not None:
                return Refused(reason)
        handler, profiles = self.config.handler, self.config.profiles
        if not handler.decode:
            run = _run(next(iter(profiles.values())), cycle)
            return None if run is None else Decision(cycle, run)
        run = _run(profiles[handler.decode], cycle)
        if run is None:
            return None
        if handler.decider is None or not handler.decider.disaggregate(cycle, run.chosen):
            return Decision(cycle, run)
        return Decision(cycle, run, _run(profiles[handler.prefill], cycle), offered=True)

    def sent(self, decision: Decision, endpoint: Endpoint | None = None) -> None:
        """The request went to `endpoint` (default: the chosen one)."""
        for plugin in self._routed:
            plugin.routed(decision.cycle, decision.run.profile, endpoint or decision.chosen)
            if decision.prefill is not None:
                plugin.routed(decision.cycle, decision.prefill.profile, decision.prefill.chosen)

    def uncached(self, decision: Decision, endpoint: Endpoint) -> int:
        """Prompt tokens of the request that the replica is expected to compute."""
        return decision.cycle.uncached(self.config.inflight_producer, endpoint.key)

    def seen(self, decision: Decision, endpoint: Endpoint, ttft: float, tpot: float | None) -> None:
        """What the request's client saw, seconds; tpot None: a single token."""
        if self.predictor is not None:
            for candidate in decision.cycle.candidates:
                if candidate.endpoint == endpoint:
                    self.predictor.predictor.learn(self.predictor.features(decision.cycle, candidate), ttft, tpot)

    def answer_headers(self, endpoint: Endpoint) -> dict[str, str]:
        """Headers that the plugins put on an answer from this replica."""
        return {each.header: token(endpoint.pod) for each in self.sessions}

    def forget(self, key: str) -> None:
        """A replica is gone, or is a new process with an empty cache."""
        for plugin in self._forget:
            plugin.forget(key)

    def loaded(self, key: str, load: Load) -> None:
        """A replica's page was read."""
        for plugin in self._loaded:
            plugin.loaded(key, load)

    def remembered(self, key: str | None = None) -> int:
        """Block hashes in the prefix indexes, of one replica or of all."""
        indexes: list[Any] = [*self.approximate, *self.precise]
        return sum(each.index.size(key) for each in indexes)


def _run(profile: Profile, cycle: Cycle) -> Run | None:
    candidates: Sequence[Candidate] = cycle.candidates
    dropped = []
    for name, each in profile.filters:
        kept = each.keep(cycle, candidates)
        if len(kept) < len(candidates):
            keys = {one.key for one in kept}
            dropped.append((name, tuple(one.key for one in candidates if one.key not in keys)))
        candidates = kept
    if not candidates:
        return None
    totals = [0.0] * len(candidates)
    scores = []
    for scorer in profile.scorers:
        raw = tuple([min(1.0, max(0.0, value)) for value in scorer.scorer.score(cycle, candidates)])
        scores.append((scorer.name, scorer.weight, raw))
        weight = scorer.weight
        totals = [total + weight * value for total, value in zip(totals, raw, strict=True)]
    order = profile.picker.order(cycle, totals)
    return Run(
        profile.name,
        tuple(dropped),
        tuple(candidates),
        tuple(scores),
        tuple(totals),
        profile.picker_name,
        tuple([candidates[index].endpoint for index in order]),
    )
