"""Offload: `auto` against the best fixed tiers found by trying all, and against what others do.

    make bench NAME=offload                       one routing and three bandwidths (about a minute)
    make bench NAME=offload ARGS="--full"         both traces and an unseen one, both routings, five bandwidths

Four replicas of an 8B model on H200s (128 KiB of KV a token, step times as measured), a trace of 512-token blocks
played over and over with fresh blocks for `--hours`. Benefit: seconds of a replica saved, a load counted as if the
replica waited for it, minus what storing slows, memory and storage at their prices; for `auto` also restarts, and
the canary's replica for as long as it stands. `ok`: the sampled curve is within 2 points of the exact one; `auto`
has at least 90 % of the best fixed benefit wherever that is more than 2 % of the work, and is never worse than no
tier by more than 1 % of the work; and one core carries 100,000 blocks/s of events.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from apps.offload.domain.benefit import GIB
from apps.offload.domain.feed import Delivery
from apps.offload.domain.options import CHUNKS
from apps.offload.domain.reuse import ALL, Reuse
from apps.offload.domain.types import Bandwidth, Configuration, Placed, Policy, TierPolicy
from apps.offload.feeding import PoolFeed
from bench.common import finish, shared
from bench.offload.auto import live, observe
from bench.offload.fleet import Played, play
from bench.offload.peers import arc_hits, pvc_evictor_hits
from bench.offload.truth import Truth
from bench.offload.workloads import BLOCK, Request, conversations, mooncake

REPLICAS = 4
DEVICE_TOKENS = 400_000
HOST, VOLUME = 256, 2048
BANDWIDTHS = (0.5, 2.0, 5.0, 20.0, 50.0)
_HOSTS = (0, 48, 64, 96, 128, 160, 192, 224, 256)
_VOLUMES = (0, 256, 512, 1024, 2048)
_TTLS = (120, 600, 1200, None)
LIMIT_POINTS, LIMIT_SHARE, LIMIT_LOSS, LIMIT_BLOCKS = 2.0, 0.9, 0.01, 100_000
# what is gained must be worth looking at: below this share of the work a ratio says nothing
_WORTH = 0.02


@dataclass(frozen=True)
class Row:
    trace: str
    routing: str
    tiers: str
    bandwidth: float
    work: float
    best: float
    best_is: Configuration
    auto: float
    charged: float
    moves: str
    peers: dict[str, float]

    @property
    def share(self) -> float | None:
        """Of the best fixed benefit; None where there is next to none."""
        return self.auto / self.best if self.best > _WORTH * self.work else None

    @property
    def loss(self) -> float:
        """Against no tier at all, of the work."""
        return max(0.0, -self.auto) / self.work


def main() -> None:
    options = _options()
    began = time.monotonic()
    traces = _traces(options.full)
    errors = {name: curve_error(requests) for name, requests in traces.items()}
    for name, error in errors.items():
        print(f"curve of {name}: at most {error:.2f} points from the exact one")
    blocks_s = collector_speed()
    print(f"collector: {blocks_s:,.0f} blocks/s on one core (vLLM's maps with token ids, decoded, sampled, counted)")
    rows: list[Row] = []
    bandwidths = BANDWIDTHS if options.full else (2.0, 5.0, 50.0)
    for name, requests in traces.items():
        for routing in ("prefix", "random") if options.full else ("prefix",):
            rows += compare(name, requests, routing, bandwidths, options.hours)
    _print(rows)
    shares = [row.share for row in rows if row.share is not None]
    figures = {
        "curve_error_points": max(errors.values()),
        "auto_share_of_best_fixed_min": min(shares) if shares else None,
        "auto_share_of_best_fixed_mean": sum(shares) / len(shares) if shares else None,
        "auto_worst_loss_of_work": max(row.loss for row in rows),
        "collector_blocks_per_s": blocks_s,
        "cases": len(rows),
        "hours": options.hours,
        "seconds": time.monotonic() - began,
    }
    ratios = {f"auto_minus_{peer}_of_work_mean": _ahead(rows, peer) for peer in rows[0].peers}
    ok = (
        max(errors.values()) <= LIMIT_POINTS
        and all(share >= LIMIT_SHARE for share in shares)
        and all(row.loss <= LIMIT_LOSS for row in rows)
        and blocks_s >= LIMIT_BLOCKS
    )
    finish(
        "offload",
        figures=figures,
        ratios={"auto_over_best_fixed_min": min(shares, default=0.0), **ratios},
        peer="best fixed tiers (all tried), always host (LRU, ARC), always filesystem, llm-d's pvc_evictor (our ports)",
        ok=ok,
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench NAME=offload")
    parser.add_argument("--full", action="store_true", help="all traces, routings and bandwidths")
    parser.add_argument("--hours", type=float, default=24.0, help="how long a trace is played over and over")
    return parser.parse_args()


def _traces(full: bool) -> dict[str, list[Request]]:
    found = {"mooncake synthetic": mooncake(shared("traces", "mooncake", "synthetic_trace.jsonl"))}
    if full:
        found["mooncake 1000"] = mooncake(shared("traces", "mooncake", "mooncake_trace_1000.jsonl"))
        found["conversations (made up, seed 11)"] = conversations(11)
    return found


# --- one case --------------------------------------------------------------------------------------------------------


def policy_of(tiers: Sequence[TierPolicy]) -> Policy:
    """Llama-3.1-8B on one H200: 2,048 tokens in 54.7 ms, 32,768 in 1.24 s (calibration)."""
    return Policy(
        mode="auto",
        kv_bytes=131_072.0,
        token=24e-6,
        pair=0.83e-9,
        price=3.2,
        tiers=tuple(tiers),
        variant="h200",
        restart=120.0,
        block=BLOCK // 2,
    )


def compare(name: str, requests: list[Request], routing: str, bandwidths: Sequence[float], hours: float) -> list[Row]:
    played = play(requests, routing=routing, replicas=REPLICAS, device_tokens=DEVICE_TOKENS)
    passes = max(2, int(hours * 3600 / played.seconds))
    seen = observe(played, passes, 16_384)
    host = TierPolicy("host", int(HOST * GIB))
    volume = TierPolicy("filesystem", int(VOLUME * GIB), gib_hour=0.0002, claim="kv")
    rows = []
    for bandwidth in bandwidths:
        of_volume = Bandwidth(bandwidth * 1e9, 0.6 * bandwidth * 1e9, 0.005, "probe")
        sets = {
            "host": ((host,), {"host": Bandwidth(bandwidth * 1e9, bandwidth * 1e9)}),
            "volume": ((volume,), {"filesystem": of_volume}),
            "host 41.6 + volume": ((host, volume), {"host": Bandwidth(41.6e9, 53.6e9), "filesystem": of_volume}),
        }
        for tiers, (declared, known) in sets.items():
            policy = policy_of(declared)
            truth = Truth(played, policy, known)
            best, best_is = _best(truth, policy)
            lived = live(seen, truth, policy, passes)
            # a fixed configuration is there from the beginning: no restart, no canary
            rows.append(
                Row(
                    name, routing, tiers, bandwidth, truth.work * passes, best * passes, best_is, lived.benefit,
                    lived.charged, ", ".join(d.verb for d in lived.moves) or "none",
                    {peer: value * passes for peer, value in _peers(requests, played, truth, declared).items()},
                )
            )  # fmt: skip
    return rows


def _best(truth: Truth, policy: Policy) -> tuple[float, Configuration]:
    """By trying every size, volume, time to live and chunk."""
    kinds = {tier.kind for tier in policy.tiers}
    best, best_is = 0.0, Configuration()
    for host in _HOSTS if "host" in kinds else (0,):
        for volume in _VOLUMES if "filesystem" in kinds else (0,):
            for ttl in _TTLS if volume else (None,):
                tiers = []
                if host:
                    tiers.append(Placed("host", int(host * GIB)))
                if volume:
                    tiers.append(Placed("filesystem", int(volume * GIB), "kv", ttl))
                for chunk in CHUNKS if tiers else ():
                    tried = Configuration(tuple(tiers), chunk)
                    value = truth.benefit(tried)
                    if value > best:
                        best, best_is = value, tried
    return best, best_is


def _peers(requests: list[Request], played: Played, truth: Truth, declared: Sequence[TierPolicy]) -> dict[str, float]:
    """Benefit of one pass (a mean of four for the evictor, whose volume fills over an hour)."""
    kinds = {tier.kind for tier in declared}
    found = {"always_host_lru": 0.0, "always_host_arc": 0.0, "always_volume": 0.0, "pvc_evictor": 0.0}
    if "host" in kinds:
        everything = Configuration((Placed("host", int(HOST * GIB)),))
        found["always_host_lru"] = truth.benefit(everything)
        hits = _arc(requests, played, int(HOST * GIB / truth.policy.kv_bytes))
        found["always_host_arc"] = float(truth.saved_by(everything, hits, hits).sum())
    if "filesystem" in kinds:
        placed = Placed("filesystem", int(VOLUME * GIB), "kv")
        tiers = (Placed("host", int(HOST * GIB)), placed) if "host" in kinds else (placed,)
        everything = Configuration(tiers)
        found["always_volume"] = truth.benefit(everything)
        host, _ = truth.hits(Configuration(tiers[:-1]))
        rent = truth.rent(everything) * played.seconds
        passes = _evictor(requests, played, int(VOLUME * GIB / truth.policy.kv_bytes), host)
        values = [float(truth.saved_by(everything, host, hits).sum()) - rent for hits in passes]
        found["pvc_evictor"] = sum(values) / len(values)
    return found


_ARC: dict[int, object] = {}
_EVICTOR: dict[tuple[int, float], object] = {}


def _arc(requests: list[Request], played: Played, tokens: int):  # type: ignore[no-untyped-def]
    if id(played) not in _ARC:
        _ARC[id(played)] = arc_hits(requests, played, tokens)
    return _ARC[id(played)]


def _evictor(requests: list[Request], played: Played, tokens: int, host):  # type: ignore[no-untyped-def]
    key = (id(played), float(host.sum()))
    if key not in _EVICTOR:
        passes = max(4, int(2 * 3600 / played.seconds))
        _EVICTOR[key] = pvc_evictor_hits(requests, played, tokens, host, min(passes, 24))
    return _EVICTOR[key]


# --- curve and collector ---------------------------------------------------------------------------------------------


def curve_error(requests: list[Request]) -> float:
    """Points between the sampled curve and the exact one, at most, from the size of a device to sixteen times that."""
    played = play(requests, routing="prefix", replicas=1, device_tokens=DEVICE_TOKENS)
    reuse = Reuse(most=8192)
    for at, _, events in played.events:
        reuse.apply("a", events, at)
    wanted = float(played.blocks.sum()) * BLOCK
    hits = float((played.own < DEVICE_TOKENS).sum()) * BLOCK
    worst = 0.0
    for times in (1.25, 1.5, 2, 3, 4, 6, 8, 12, 16):
        exact = float((played.own < DEVICE_TOKENS * times).sum()) * BLOCK / wanted
        told = (hits + reuse.replica[ALL].within(DEVICE_TOKENS * (times - 1))) / wanted
        worst = max(worst, abs(exact - told) * 100)
    return worst


def collector_speed() -> float:
    """Blocks stored and removed per second through decoding, ordering, sampling and counting; blocks of 16 tokens."""
    encode = msgspec.msgpack.encode
    batches = []
    number = 0
    for _ in range(600):
        hashes = [(b * 0x9E3779B97F4A7C15) % 2**64 for b in range(number, number + 256)]
        gone = [(b * 0x9E3779B97F4A7C15) % 2**64 for b in range(number - 20_000, number - 20_000 + 256) if b >= 0]
        number += 128 if number % 3 else 256
        events = [
            {
                "type": "BlockStored", "block_hashes": hashes, "parent_block_hash": None, "token_ids": [17] * 4096,
                "block_size": 16, "lora_id": None, "medium": "GPU", "lora_name": None, "extra_keys": [None] * 256,
            },
            *({"type": "BlockRemoved", "block_hashes": [block], "medium": "GPU"} for block in gone),
        ]  # fmt: skip
        batches.append((encode([1.0, events, 0]), 256 + len(gone)))
    pool = PoolFeed(pool=None)  # type: ignore[arg-type]
    decode = msgspec.msgpack.Decoder().decode
    began = time.process_time()
    for sequence, (payload, _) in enumerate(batches):
        pool.take("a/0", Delivery(sequence, payload, False, False), float(sequence), decode)
    return sum(count for _, count in batches) / (time.process_time() - began)


# --- what is printed -------------------------------------------------------------------------------------------------


def _print(rows: Sequence[Row]) -> None:
    print(f"\n{'trace':<34}{'routing':<8}{'tiers':<20}{'GB/s':>5}{'work h':>8}{'best %':>8}{'auto %':>8}{'share':>7}"
          f"{'lru %':>7}{'arc %':>7}{'fs %':>7}{'pvc %':>7}  best fixed; moves of auto")  # fmt: skip
    for row in rows:
        sizes = "+".join(f"{t.kind[:4]} {t.bytes / GIB:.0f}" for t in row.best_is.tiers) or "none"
        share = f"{row.share:.2f}" if row.share is not None else "-"
        peers = "".join(f"{100 * value / row.work:7.1f}" for value in row.peers.values())
        print(
            f"{row.trace:<34}{row.routing:<8}{row.tiers:<20}{row.bandwidth:>5}{row.work / 3600:>8.1f}"
            f"{100 * row.best / row.work:>8.1f}{100 * row.auto / row.work:>8.1f}{share:>7}{peers}"
            f"  {sizes}/{row.best_is.chunk}; {row.moves}"
        )


def _ahead(rows: Sequence[Row], peer: str) -> float:
    """Mean of what auto saves beyond a peer, of the work."""
    return sum((row.auto - row.peers[peer]) / row.work for row in rows) / len(rows)


if __name__ == "__main__":
    sys.exit(main())
