"""The precise prefix index: which replica holds which KV blocks, as the engines' KV events tell.

An engine names its blocks by hashes of its own. The index names a block by a key over its tokens, its parent's key and
what else tells blocks apart (the LoRA adapter), so engines may hash as they like; a map per replica leads from their
names to ours. Source: llm-d's KV cache indexer (dual-key map).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

import xxhash

from apps.physics.routing.types import PrefixMatch

TIER_WEIGHTS: Mapping[str, float] = {"GPU": 1.0, "CPU": 0.8}
"""What a block counts by the fastest medium that holds it; a medium that is not here counts as the slowest one."""
MOST_BLOCKS = 2_000_000
"""Blocks kept of one replica; the oldest go first."""


def block_keys(
    tokens: Sequence[int],
    block_tokens: int,
    extra: str | Sequence[str] = "",
    parent: int = 0,
    *,
    first: str | None = None,
) -> list[int]:
    """Keys of the full blocks of `tokens`, each chained over its parent's.

    extra: what tells blocks apart beside their tokens (the adapter's name), of all or one a block. first: the same of
    the first block, where it differs (a cache salt).
    """
    raw = array("I", tokens).tobytes()
    width = 4 * block_tokens
    keys: list[int] = []
    for index, start in enumerate(range(0, len(raw) - width + 1, width)):
        salt = extra if isinstance(extra, str) else extra[index] if index < len(extra) else ""
        if first is not None and not index:
            salt = first
        parent = xxhash.xxh64_intdigest(parent.to_bytes(8, "big") + raw[start : start + width] + salt.encode())
        keys.append(parent)
    return keys


class BlockIndex:
    """`block_tokens`: tokens of a block, equal to the engines' `--block-size`. Times in seconds."""

    def __init__(self, block_tokens: int, speculative_ttl: float = 0.0) -> None:
        self.block_tokens = block_tokens
        self.problem = ""
        """Why nothing can match, as a sentence; empty while all is well."""
        self._ttl = speculative_ttl
        self._held: dict[str, dict[int, set[str]]] = {}
        self._names: dict[str, dict[int, int]] = {}
        self._expected: dict[str, dict[int, float]] = {}

    def stored(
        self,
        endpoint: str,
        medium: str,
        names: Sequence[int],
        *,
        parent: int | None = None,
        tokens: Sequence[int] = (),
        block_size: int = 0,
        extra: str | Sequence[str] = "",
    ) -> None:
        """A replica stored consecutive blocks that it calls `names`, behind its block `parent`.

        An event without tokens (a slower tier's) is understood where the blocks were told with tokens before.
        """
        known = self._names.setdefault(endpoint, {})
        if tokens:
            if block_size and block_size != self.block_tokens:
                self.problem = (
                    f"{endpoint} has KV blocks of {block_size} tokens but the index has {self.block_tokens}: set both "
                    "to the same size"
                )
                return
            above = 0 if parent is None else known.get(parent)
            if above is None:
                return
            keys: Iterable[int] = block_keys(tokens, self.block_tokens, extra, above)
            known.update(zip(names, keys, strict=False))
        self.hold(endpoint, medium, [known[name] for name in names if name in known])

    def hold(self, endpoint: str, medium: str, keys: Iterable[int]) -> None:
        """A replica holds these blocks, by our keys."""
        held = self._held.setdefault(endpoint, {})
        for key in keys:
            held.setdefault(key, set()).add(medium)
        while len(held) > MOST_BLOCKS:
            del held[next(iter(held))]

    def removed(self, endpoint: str, medium: str, names: Iterable[int]) -> None:
        """A replica lost these blocks from one medium, by its names."""
        known = self._names.get(endpoint, {})
        lost = [name for name in names if name in known]
        gone = self.drop(endpoint, medium, [known[name] for name in lost])
        for name in lost:
            if known[name] in gone:
                del known[name]

    def drop(self, endpoint: str, medium: str, keys: Iterable[int]) -> set[int]:
        """The same by our keys; those that no medium holds any more."""
        held, gone = self._held.get(endpoint, {}), set()
        for key in keys:
            media = held.get(key)
            if media is not None:
                media.discard(medium)
                if not media:
                    del held[key]
                    gone.add(key)
        return gone

    def expect(self, endpoint: str, keys: Sequence[int], now: float) -> None:
        """A request with these blocks was sent there: they count as held until the events tell, or the time is up."""
        if self._ttl > 0:
            self._expected.setdefault(endpoint, {}).update(dict.fromkeys(keys, now + self._ttl))

    def forget(self, endpoint: str) -> None:
        """The replica is gone, lost its cache, or its events have a gap."""
        for each in (self._held, self._names, self._expected):
            each.pop(endpoint, None)

    def match(self, endpoint: str, keys: Sequence[int], now: float = 0.0) -> PrefixMatch:
        """The longest run of `keys` from the start that the replica holds."""
        held, expected = self._held.get(endpoint, {}), self._expected.get(endpoint, {})
        blocks, weight = 0, 0.0
        for key in keys:
            media = held.get(key)
            if media is not None:
                weight += 1.0 if "GPU" in media else max(TIER_WEIGHTS.get(medium, 0.8) for medium in media)
            elif expected.get(key, -1.0) >= now:
                weight += 1.0
            else:
                break
            blocks += 1
        return PrefixMatch(blocks, len(keys), self.block_tokens, weight)

    def sweep(self, now: float) -> None:
        """Forget expectations whose time is up."""
        for expected in self._expected.values():
            for key in [key for key, until in expected.items() if until < now]:
                del expected[key]

    def size(self, endpoint: str | None = None) -> int:
        """Blocks kept, of one replica or of all."""
        kept = self._held.values() if endpoint is None else [self._held.get(endpoint, {})]
        return sum(map(len, kept))
