"""The self-test of a pool's path: which checks it has, and what each says of what was seen. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

__all__ = [
    "CONDITION", "HITS", "PULLED_BYTES", "PULLED_TOKENS", "Call", "Check", "Facts", "Pulled", "condition_of", "counted",
    "prompt", "pulled_by", "tier", "verdict",
]  # fmt: skip

CONDITION = "Verified"
HITS = "vllm:prefix_cache_hits_total"
"""Prompt tokens that an engine found in its prefix cache."""
PULLED_TOKENS = "vllm:external_prefix_cache_hits_total"
"""Prompt tokens whose KV an engine got from elsewhere: of a prompt that nobody holds, from the one that computed it."""
PULLED_BYTES = "vllm:nixl_bytes_transferred_sum"
STORED_BYTES = "vllm:kv_offload_store_bytes_total"
"""KV that an engine has put below its device."""
Status = Literal["passed", "failed", "unknown", "skipped"]
WORDS = 700
"""Of a prompt: several KV blocks of any size that paths render."""
_WORD = "lamplight verifies that a request is answered and its beginning is kept "


@dataclass(frozen=True, slots=True)
class Facts:
    """What of a pool decides which checks it has.

    disaggregated: prompts may be computed apart from decoding; uncached: tokens from which they are, 0: always.
    tiers: KV is kept below the device, whatever the loops decide. adapters: names that are asked for as models.
    sleeps: it may be asleep or without replicas; awake: replicas that served when the test began.
    """

    served_name: str
    picker: bool
    disaggregated: bool = False
    uncached: int = 0
    tiers: bool = False
    adapters: tuple[str, ...] = ()
    sleeps: bool = False
    awake: int = 1


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its answer. status None: nobody answered, `error` says why. route: what the picker says of it.
    served: the replica's name, address its host:port, where told. cached_tokens None: nobody told."""

    status: int | None
    seconds: float
    error: str = ""
    completion_tokens: int = 0
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    served: str = ""
    address: str = ""
    route: Mapping[str, Any] | None = None

    @property
    def answered(self) -> bool:
        return self.status == 200 and self.completion_tokens > 0


@dataclass(frozen=True, slots=True)
class Pulled:
    """What an engine has counted of KV that it got from others; bytes None: it does not say."""

    tokens: float
    bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Check:
    """One check's outcome and a sentence about it."""

    name: str
    status: Status
    message: str
    seconds: float = 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name, "status": self.status, "message": self.message, "seconds": round(self.seconds, 3),
        }  # fmt: skip


def prompt(nonce: str, facts: Facts, *, short: bool = False) -> str:
    """A prompt that nobody has asked yet, long enough that it is worth keeping (and handing over)."""
    words = 60 if short else max(WORDS, 2 * facts.uncached)
    text = _WORD * (words // len(_WORD.split()) + 1)
    return f"{nonce} {' '.join(text.split()[:words])}"


def selector(fault: str | None, caught: int | None = None) -> Check:
    """The pool's InferencePool must catch its engines alone. fault None: nobody could look; caught: how many pods it
    selects, None where there is no InferencePool."""
    if fault == "" and caught is None:
        return Check("selector", "skipped", "There is no InferencePool in the cluster.")
    if fault is None:
        return Check("selector", "unknown", "The pods that the InferencePool selects could not be read.")
    if fault:
        return Check("selector", "failed", f"{fault[0].upper()}{fault[1:]}.")
    what = "one pod, an engine" if caught == 1 else f"{caught} pods, all of them engines"
    return Check("selector", "passed", f"The InferencePool selects {what} of this pool.")


def request(first: Call) -> Check:
    """A request through the pool's own address."""
    if first.answered:
        where = f" by {first.served}" if first.served else ""
        return Check("request", "passed", f"A request was answered{where} in {first.seconds:.2f} s.", first.seconds)
    return Check("request", "failed", f"A request was not answered: {_why(first)}", first.seconds)


def cache_hit(second: Call) -> Check:
    """The same request again must find its beginning kept."""
    name, seconds = "cache-hit", second.seconds
    if not second.answered:
        return Check(name, "failed", f"The second request was not answered: {_why(second)}", seconds)
    if second.cached_tokens is None:
        said = (
            "Nobody tells how much of the second prompt came from a cache (both may have gone to different replicas): "
        )
        return Check(name, "unknown", f"{said}give the engine --enable-prompt-tokens-details.", seconds)
    if second.cached_tokens <= 0:
        said = "The same prompt was sent twice and nothing of the second came from a cache: see whether prefix caching "
        return Check(name, "failed", f"{said}is on and the picker sends both to one replica.", seconds)
    share = f"{second.cached_tokens} of {second.prompt_tokens}" if second.prompt_tokens else str(second.cached_tokens)
    return Check(name, "passed", f"{share} prompt tokens of the second request came from a cache.", seconds)


def counted(second: Call, before: tuple[str, float] | None, after: float | None) -> Call:
    """`second` with its cached tokens by the replica's own counter of prefix hits, where nobody else told: before,
    as (address, tokens), and after it. More than the prompt has is others' traffic, less than half of it no hit."""
    known = second.cached_tokens is not None or second.prompt_tokens is None
    if known or before is None or after is None or before[0] != second.address:
        return second
    hits = int(min(after - before[1], float(second.prompt_tokens or 0)))
    return replace(second, cached_tokens=hits if 2 * hits >= (second.prompt_tokens or 0) else 0)


def pulled_by(first: Call, before: Mapping[str, Pulled], after: Mapping[str, Pulled]) -> Pulled | None:
    """What the replica that served `first` pulled meanwhile, all replicas together where nobody tells who served it;
    None where no counter could be read. before, after: by the replicas' addresses without ports. Where counters went
    back (an engine started anew) they count from nothing."""
    address = first.address.rpartition(":")[0]
    hosts = [host for host in after if host in before and address in ("", host)]
    if not hosts:
        return None
    since = {host: before[host] if before[host].tokens <= after[host].tokens else Pulled(0.0, 0.0) for host in hosts}
    told = [(after[host].bytes, since[host].bytes) for host in hosts]
    sizes = [now - (old or 0.0) for now, old in told if now is not None]
    return Pulled(
        sum(after[host].tokens - since[host].tokens for host in hosts), sum(sizes) if len(sizes) == len(hosts) else None
    )


def hand_over(first: Call, pulled: Pulled | None) -> Check:
    """The first prompt, which nobody held, must have been computed on a replica for prefill, and `pulled` (by its own
    counters, None: not known) by the one that decoded it."""
    name = "hand-over"
    if not first.answered:
        return Check(name, "skipped", "The request was not answered.")
    prefill = first.route.get("prefill") if first.route is not None else "a replica for prefill"
    if not prefill:
        why = (first.route or {}).get("reason", "")
        return Check(name, "failed", f"The prompt was not handed over to a replica for prefill: {why}")
    decode = first.served or "the replica that decoded it"
    if pulled is None:
        said = "was sent to" if first.route is not None else "may have been computed by"
        said = f"The prompt {said} {prefill}; whether its KV came over is not known, as the metrics of {decode} "
        return Check(name, "unknown", f"{said}could not be read.")
    # a little is others' traffic
    if pulled.tokens < max(1.0, 0.5 * (first.prompt_tokens or 0)):
        said = (
            f"The engine's own counters say that {decode} pulled nothing of the prompt from {prefill} and computed it "
        )
        return Check(name, "failed", f"{said}itself: see its log for the KV connector and the routing sidecar.")
    share = f"{pulled.tokens:.0f} of {first.prompt_tokens}" if first.prompt_tokens else f"{pulled.tokens:.0f}"
    size = f" ({pulled.bytes / 1e6:.1f} MB)" if pulled.bytes else ""
    said = f"KV of {share} prompt tokens{size} was computed by {prefill} and pulled by {decode}, "
    return Check(name, "passed", f"{said}by the engine's own counters.")


def tier(first: Call, before: float | None, after: float | None) -> Check:
    """A prompt that nobody held must leave KV in the tiers. before, after: bytes that the engines have counted as
    stored, None where none of them says."""
    if not first.answered:
        return Check("tier", "skipped", "The request was not answered.")
    if before is None or after is None:
        said = "The engines' metrics say nothing of tiers: whether they keep KV below the device is not known."
        return Check("tier", "unknown", said)
    # counters go back when an engine starts anew
    stored = after - before if after >= before else after
    if stored <= 0:
        said = "A new prompt left nothing in the tiers below the device: see the engine's log for the KV connector."
        return Check("tier", "failed", said)
    return Check("tier", "passed", f"{stored / 1e6:.1f} MB of KV of a new prompt went to the tiers below the device.")


def adapter(name: str, call: Call) -> Check:
    """An adapter must answer under its own name."""
    if call.answered:
        return Check(f"adapter {name}", "passed", f"The adapter {name} answered in {call.seconds:.2f} s.", call.seconds)
    return Check(f"adapter {name}", "failed", f"The adapter {name} did not answer: {_why(call)}", call.seconds)


def wake(facts: Facts, first: Call) -> Check:
    """Of a pool that may sleep: when it slept, the first request must have woken it."""
    if facts.awake:
        return Check("wake", "skipped", "The pool was awake; let it fall asleep and verify again to see it wake.")
    if first.answered:
        said = f"The pool had no replica awake and answered after {first.seconds:.1f} s."
        return Check("wake", "passed", said, first.seconds)
    return Check("wake", "failed", f"The pool had no replica awake and did not wake: {_why(first)}", first.seconds)


def verdict(checks: Sequence[Check]) -> Literal["passed", "failed", "unknown"]:
    """Failed when one is; unknown when one could not be told; what was skipped says nothing."""
    states = {check.status for check in checks}
    if "failed" in states:
        return "failed"
    return "unknown" if "unknown" in states or "passed" not in states else "passed"


def condition_of(checks: Sequence[Check]) -> tuple[Literal["True", "False", "Unknown"], str, str]:
    """Status, reason and message of the condition."""
    state = verdict(checks)
    ran = [check for check in checks if check.status != "skipped"]
    if state == "passed":
        return "True", "Passed", f"All {len(ran)} checks passed: {', '.join(check.name for check in ran)}."
    first = next(check for check in checks if check.status == state)
    return ("False" if state == "failed" else "Unknown"), _reason(first), first.message


def _reason(check: Check) -> str:
    if check.status == "unknown":
        return "NotTold"
    kind = check.name.split(" ")[0]
    return {
        "request": "RequestFailed", "cache-hit": "NoCacheHit", "hand-over": "NoHandOver", "adapter": "AdapterFailed",
        "wake": "NotWoken", "selector": "SelectorCatches", "tier": "NothingStored",
    }[kind]  # fmt: skip


def _why(call: Call) -> str:
    if call.status is None:
        return call.error or "nobody answered."
    if call.status == 200:
        return "the answer was empty."
    return f"status {call.status}{': ' + call.error if call.error else '.'}"
