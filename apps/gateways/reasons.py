"""What the condition of the self-test may say."""

from __future__ import annotations

from apps.core.domain.reasons import ConditionType, Reason
from apps.gateways.domain.verify import CONDITION

_POOL = "Pool"
_AGAIN = "Mend it and verify again: `lamp verify pool NAME`."

TYPES = (ConditionType(_POOL, CONDITION, None, "did the path's own self-test pass on this generation?"),)
REASONS = tuple(
    Reason(_POOL, CONDITION, reason, meaning, do_next)
    for reason, meaning, do_next in (
        ("Passed", "A request, its repeat from the cache, and what else the path has, worked.", ""),
        ("RequestFailed", "A request through the pool's own address was not answered.", _AGAIN),
        (
            "NoCacheHit",
            "The same prompt twice, and nothing of the second came from a cache.",
            "See whether prefix caching is on, and with `lamp route list pool NAME` where both went.",
        ),
        (
            "NoHandOver",
            "A long new prompt was not computed on a replica for prefill, or its KV not pulled from there.",
            "See `lamp route explain pool NAME --id ID`: prefill replicas must be ready, the decider's threshold low.",
        ),
        (
            "NothingStored",
            "A new prompt left no KV in the declared tiers.",
            "See the engine's log for its KV connector, and that the volume of the tier can be written.",
        ),
        (
            "AdapterFailed",
            "An adapter did not answer under its name.",
            "See the engine's log, and the Model's adapters.",
        ),
        (
            "SelectorCatches",
            "The InferencePool selects pods that are no engines of this pool, or another one selects its engines.",
            "Take the labels off that the message names; `GET …/pools/NAME/selected` lists what is selected.",
        ),
        ("NotWoken", "No replica was awake, and a request did not wake one in time.", "See why none starts; " + _AGAIN),
        (
            "NotTold",
            "Something could not be seen from outside.",
            "The message names what tells it.",
        ),
    )
)
