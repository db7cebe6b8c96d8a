"""approx-prefix-cache-producer and prefix-cache-scorer.

The producer guesses by an LRU index of what was sent where. The scorer gives
w min(1, matched tokens / 8192)^2 + (1 - w) matched blocks / blocks of the prompt, w = 0.
In llm-d 0.5 the scorer has an index of its own and the producer's parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.lru import DEFAULT_CAPACITY, PrefixIndex
from apps.physics.routing.parameters import Parameter, Parameters
from apps.physics.routing.plugin import PluginType, Wiring
from apps.physics.routing.types import Candidate, Cycle, Endpoint, Load, PrefixMatch

BLOCK_TOKENS = 64
MOST_TOKENS = 131_072
BYTES_PER_TOKEN = 4
_SATURATION = 8192

INDEX = (
    Parameter("autoTune", "boolean", True),
    Parameter("blockSizeTokens", "integer", None, least=0),
    Parameter("blockSize", "integer", None, least=1),
    Parameter("hashBlockSize", "integer", None, least=1),
    Parameter("maxPrefixBlocksToMatch", "integer", None, least=0),
    Parameter("maxPrefixTokensToMatch", "integer", None, least=0),
    Parameter("lruCapacityPerServer", "integer", None, least=0),
)


class ApproximatePrefix:
    """Writes the matches under its own name and remembers where each request went."""

    def __init__(self, name: str, block_tokens: int, most_blocks: int, capacity: int, tune: bool) -> None:
        self.name, self.block_tokens, self.most_blocks = name, block_tokens, most_blocks
        self.index = PrefixIndex(capacity)
        self._tune = tune

    def produce(self, cycle: Cycle) -> None:
        hashes = cycle.request.prompt.hashes(self.block_tokens, self.most_blocks)
        total, width, match = len(hashes), self.block_tokens, self.index.match
        found = {}
        for each in cycle.candidates:
            blocks = match(each.key, hashes)
            found[each.key] = PrefixMatch(blocks, total, width, float(blocks))
        cycle.matches[self.name] = found

    def routed(self, cycle: Cycle, profile: str, chosen: Endpoint) -> None:
        self.index.record(chosen.key, cycle.request.prompt.hashes(self.block_tokens, self.most_blocks))

    def forget(self, key: str) -> None:
        self.index.forget(key)

    def loaded(self, key: str, load: Load) -> None:
        if self._tune and load.kv_blocks and load.block_size:
            self.index.resize(key, load.kv_blocks * load.block_size // self.block_tokens)


class PrefixScore:
    """Scores by what `producer` matched."""

    def __init__(self, producer: str, weight: float) -> None:
        self._producer, self._weight = producer, weight

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        found = cycle.matches.get(self._producer, {})
        none = PrefixMatch()
        matches = [found.get(each.key, none) for each in candidates]
        weight = self._weight
        if not weight:
            return [match.share for match in matches]
        return [weight * min(1.0, match.tokens / _SATURATION) ** 2 + (1 - weight) * match.share for match in matches]


class OwnPrefixScore(ApproximatePrefix):
    """The scorer with an index of its own."""

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return PrefixScore(self.name, 0.0).score(cycle, candidates)


def make_producer(parameters: Parameters, wiring: Wiring) -> ApproximatePrefix:
    return ApproximatePrefix(wiring.name, *_shape(parameters))


def make_scorer(parameters: Parameters, wiring: Wiring) -> PrefixScore | OwnPrefixScore:
    named = parameters["prefixMatchInfoProducerName"]
    # without a producer to share, each scorer guesses by an index of its own: one a tier
    if not named and type(wiring.made.get(wiring.prefix_producer)) is ApproximatePrefix:
        named = wiring.prefix_producer
    if named:
        return PrefixScore(named, parameters["absoluteMatchWeight"])
    return OwnPrefixScore(wiring.name, *_shape(parameters))


def _shape(parameters: Parameters) -> tuple[int, int, int, bool]:
    characters = parameters["blockSize"] or parameters["hashBlockSize"]
    tokens = parameters["blockSizeTokens"] or (max(1, characters // BYTES_PER_TOKEN) if characters else BLOCK_TOKENS)
    blocks = parameters["maxPrefixBlocksToMatch"]
    if parameters["maxPrefixTokensToMatch"] or not blocks:
        blocks = max(1, (parameters["maxPrefixTokensToMatch"] or MOST_TOKENS) // tokens)
    capacity = parameters["lruCapacityPerServer"]
    # a capacity that is given is the one that is meant: it may be a slower tier's, which no metric tells
    return tokens, blocks, capacity or DEFAULT_CAPACITY, bool(parameters["autoTune"]) and not capacity


PLUGINS = (
    PluginType(
        "approx-prefix-cache-producer",
        "producer",
        "Guesses which replica holds a prompt's beginning by what was sent there",
        make_producer,
        INDEX,
        releases=("current",),
        instead="prefix-cache-scorer, which has the index",
    ),
    PluginType(
        "prefix-cache-scorer",
        "scorer",
        "Longest known beginning of the prompt",
        make_scorer,
        (
            *INDEX,
            Parameter("prefixMatchInfoProducerName", "string", ""),
            Parameter("absoluteMatchWeight", "number", 0.0, least=0, most=1),
        ),
    ),
)
