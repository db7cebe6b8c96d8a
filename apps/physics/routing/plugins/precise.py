"""precise-prefix-cache-producer (current) and precise-prefix-cache-scorer (0.5): the index that KV events fill.

The producer writes matched blocks and blocks of the prompt for prefix-cache-scorer. The 0.5 scorer gives, with s = sum
over the longest run of blocks of their tier's weight (GPU 1.0, CPU 0.8), (s - min) / (max - min) over the replicas that
hold any; 1 where these are equal, 0 where nothing is held: the smallest hit scores like none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.physics.routing.blocks import BlockIndex
from apps.physics.routing.parameters import ConfigError, Parameter, Parameters
from apps.physics.routing.plugin import PluginType, Wiring
from apps.physics.routing.types import Candidate, Cycle, Endpoint

BLOCK_TOKENS = 16
SOCKET_PORT = 5557
SPECULATIVE_TTL = 2.0


@dataclass(frozen=True, slots=True)
class KvEvents:
    """How the events reach the picker. discover: it subscribes to each pod at `port`; else engines publish to
    `endpoint`. topic: prefix of the topics. replay_port: where a pod replays what was missed; 0: nowhere."""

    topic: str
    discover: bool
    port: int
    replay_port: int
    endpoint: str


class PrecisePrefix:
    """Writes the matches of `index` under its own name."""

    def __init__(self, name: str, index: BlockIndex, events: KvEvents) -> None:
        self.name, self.index, self.events = name, index, events

    def produce(self, cycle: Cycle) -> None:
        keys = cycle.request.prompt.keys(self.index.block_tokens)
        if keys:
            cycle.matches[self.name] = {
                each.key: self.index.match(each.key, keys, cycle.now) for each in cycle.candidates
            }

    def routed(self, cycle: Cycle, profile: str, chosen: Endpoint) -> None:
        keys = cycle.request.prompt.keys(self.index.block_tokens)
        if keys:
            self.index.expect(chosen.key, keys, cycle.now)

    def forget(self, key: str) -> None:
        self.index.forget(key)


class PreciseScore(PrecisePrefix):
    """The scorer of 0.5."""

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return spread([cycle.match(self.name, each.key).weight for each in candidates])


def spread(raw: Sequence[float]) -> list[float]:
    """min-max over those above 0; all equal: 1; 0 stays 0."""
    hits = [value for value in raw if value > 0]
    if not hits:
        return [0.0] * len(raw)
    least, most = min(hits), max(hits)
    return [0.0 if value <= 0 else 1.0 if least == most else (value - least) / (most - least) for value in raw]


def _read(parameters: Parameters, wiring: Wiring) -> tuple[str, BlockIndex, KvEvents]:
    tokens, events = parameters["tokenProcessorConfig"], parameters["kvEventsConfig"]
    size = tokens["blockSizeTokens"] or tokens["blockSize"] or BLOCK_TOKENS
    discover, pods = events["discoverPods"], events["podDiscoveryConfig"]
    if not discover and not events["zmqEndpoint"]:
        raise ConfigError(
            "kvEventsConfig needs discoverPods: true, or the zmqEndpoint that engines publish to: without one of them "
            "no event arrives and every score is 0"
        )
    ttl = parameters["speculativeTTL"] if parameters["speculativeIndexing"] else 0.0
    port, replay = pods["socketPort"] or SOCKET_PORT, pods["replaySocketPort"] or 0
    read = KvEvents(events["topicFilter"], discover, port, replay, events["zmqEndpoint"])
    return wiring.name, BlockIndex(size, ttl), read


PARAMETERS = (
    Parameter(
        "tokenProcessorConfig",
        "object",
        fields=(
            Parameter("blockSize", "integer", None, least=1),
            Parameter("blockSizeTokens", "integer", None, least=1),
            Parameter("hashSeed", "string", ""),
        ),
    ),
    Parameter(
        "indexerConfig",
        "object",
        fields=(
            Parameter("kvBlockIndexConfig", "object", {}),
            Parameter("tokenizersPoolConfig", "object", {}),
            Parameter("prefixStoreConfig", "object", {}),
            Parameter("kvCacheBackendConfigs", "objects", ()),
        ),
    ),
    Parameter(
        "kvEventsConfig",
        "object",
        fields=(
            Parameter("topicFilter", "string", "kv@"),
            Parameter("concurrency", "integer", 4, least=1),
            Parameter("discoverPods", "boolean", False),
            Parameter("engineType", "string", "vllm", choices=("vllm",)),
            Parameter("tracing", "boolean", False),
            Parameter("zmqEndpoint", "string", ""),
            Parameter(
                "podDiscoveryConfig",
                "object",
                fields=(
                    Parameter("socketPort", "integer", None, least=1, most=65535),
                    Parameter("replaySocketPort", "integer", None, least=1, most=65535),
                    Parameter("podLabelSelector", "string", ""),
                    Parameter("podNamespace", "string", ""),
                ),
            ),
        ),
    ),
    Parameter("speculativeIndexing", "boolean", False),
    Parameter("speculativeTTL", "duration", SPECULATIVE_TTL),
)

PLUGINS = (
    PluginType(
        "precise-prefix-cache-producer",
        "producer",
        "Knows from KV events which replica holds a prompt's beginning",
        lambda parameters, wiring: PrecisePrefix(*_read(parameters, wiring)),
        PARAMETERS,
        releases=("current",),
        instead="precise-prefix-cache-scorer",
    ),
    PluginType(
        "precise-prefix-cache-scorer",
        "scorer",
        "Longest beginning of the prompt that KV events tell of",
        lambda parameters, wiring: PreciseScore(*_read(parameters, wiring)),
        PARAMETERS,
        releases=("0.5",),
        instead="precise-prefix-cache-producer with prefix-cache-scorer",
    ),
)
