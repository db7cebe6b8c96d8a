"""Prefill on a replica of its own: profile handlers and deciders.

The decode replica is chosen first. Then the decider says whether the prompt is worth a hand-over: always, or where the
decode replica would have to compute at least `nonCachedTokens` of it (0: never) and it has at least `promptTokens`.
pd-profile-handler of llm-d 0.5 decides itself: where more than `threshold` tokens are uncached (0: always).
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.physics.routing.parameters import ConfigError, Parameter, Parameters
from apps.physics.routing.plugin import Decider, PluginType, Wiring
from apps.physics.routing.types import Cycle, Endpoint


@dataclass(frozen=True, slots=True)
class Handler:
    """Which profiles a request runs through. decode: the one whose replica the client is sent to, empty: the only
    one. prefill: the other, run when `decider` says so; None: never."""

    decode: str = ""
    prefill: str = "prefill"
    decider: Decider | None = None


class Always:
    def disaggregate(self, cycle: Cycle, decode: Endpoint) -> bool:
        return True


class ByUncached:
    """`least` uncached tokens, in a prompt of `prompt` tokens at least."""

    def __init__(self, producer: str, least: int, prompt: int = 0) -> None:
        self._producer, self._least, self._prompt = producer, least, prompt

    def disaggregate(self, cycle: Cycle, decode: Endpoint) -> bool:
        if not self._least or cycle.request.prompt.tokens < self._prompt:
            return False
        return cycle.uncached(self._producer, decode.key) >= self._least


def _disagg(parameters: Parameters, wiring: Wiring) -> Handler:
    named = parameters["deciders"]["prefill"] or parameters["deciderPluginName"]
    profiles = parameters["profiles"]
    if named and not isinstance(wiring.made.get(named), Decider):
        raise ConfigError(f"no decider is named {named!r}; declare one in plugins, such as prefix-based-pd-decider")
    return Handler(
        profiles["decode"] or parameters["decodeProfile"] or "decode",
        profiles["prefill"] or parameters["prefillProfile"] or "prefill",
        wiring.made[named] if named else None,
    )


def _pd(parameters: Parameters, wiring: Wiring) -> Handler:
    threshold = parameters["threshold"]
    producer = parameters["prefixPluginName"] or wiring.prefix_producer
    decider: Decider = ByUncached(producer, threshold + 1) if threshold else Always()
    return Handler(parameters["decodeProfile"] or "decode", parameters["prefillProfile"] or "prefill", decider)


PROFILES = (
    Parameter("decodeProfile", "string", ""),
    Parameter("prefillProfile", "string", ""),
)

PLUGINS = (
    PluginType("single-profile-handler", "handler", "One profile for every request", lambda _p, _w: Handler()),
    PluginType(
        "disagg-profile-handler",
        "handler",
        "Decode first, then prefill where the decider says so",
        _disagg,
        (
            Parameter("deciderPluginName", "string", ""),
            Parameter(
                "deciders", "object", fields=(Parameter("prefill", "string", ""), Parameter("encode", "string", ""))
            ),
            Parameter(
                "profiles",
                "object",
                fields=(
                    Parameter("decode", "string", ""),
                    Parameter("prefill", "string", ""),
                    Parameter("encode", "string", ""),
                ),
            ),
            *PROFILES,
        ),
        releases=("current",),
        instead="pd-profile-handler",
    ),
    PluginType(
        "pd-profile-handler",
        "handler",
        "Decode first, then prefill above a threshold",
        _pd,
        (
            Parameter("threshold", "integer", 0, least=0),
            Parameter("hashBlockSize", "integer", None, least=1),
            Parameter("blockSize", "integer", None, least=1),
            Parameter("prefixPluginName", "string", ""),
            Parameter("primaryPort", "integer", 0, least=0),
            *PROFILES,
        ),
        releases=("0.5",),
        instead="disagg-profile-handler with a decider",
    ),
    PluginType(
        "always-disagg-pd-decider",
        "decider",
        "Every prompt is handed over",
        lambda _p, _w: Always(),
        releases=("current",),
        instead="pd-profile-handler with threshold 0",
    ),
    PluginType(
        "prefix-based-pd-decider",
        "decider",
        "Prompts with a long uncached part are handed over",
        lambda parameters, wiring: ByUncached(
            parameters["prefixMatchInfoProducerName"] or wiring.prefix_producer,
            parameters["nonCachedTokens"],
            parameters["promptTokens"],
        ),
        (
            Parameter("nonCachedTokens", "integer", 0, least=0),
            Parameter("promptTokens", "integer", 0, least=0),
            Parameter("prefixMatchInfoProducerName", "string", ""),
        ),
        releases=("current",),
        instead="pd-profile-handler with a threshold",
    ),
)
