"""The published experiment on scheduling by prefix caches, replayed, with its figures beside ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.physics.fleet.picker import SCRAPE_SECONDS
from bench.paths import configs
from bench.paths.play import KV_TOKENS, Row, Stage, staged
from bench.paths.published import FIGURES, LADDER, REPLICAS, SCHEDULINGS, WARM_UP
from bench.paths.verdict import SAME, Verdict
from bench.paths.workload import Shape

SOME = ((20, 38), (35, 21), (40, 38), (60, 25))
"""Stages of the ladder below, at and above where approximate scheduling breaks."""
LATE = (0.5, 1.0, 2.0)
"""Seconds between two looks of the picker at the replicas' load."""
NEAR = 0.25
"""How far from the published throughput a mean over the ladder may be."""

DIFFERENCES = """
Nothing of this is fitted: protocol, configurations of the picker, KV memory and the 1,000 output tokens are the
report's. Where we differ from it, and why:
- What makes ratios of 100 and more is a queue, not a speed. Random scheduling carries 0.85 requests/s a replica (a
  prompt and its answer take 8k of 307k tokens: 40 at once, each for three quarters of a minute); every stage from 20
  requests/s on sends more than that for as long as it lasts. So TTFT p90 grows with the number of requests of a
  stage, not with its rate: published and here it changes little within the stages of 750 (20 to 35 requests/s) and of
  1,500 (40 to 60), and jumps between them. A longer test would give any ratio that one likes.
- Throughput is 1.2 times the published one under precise scheduling and 1.4 times under random: step times come from
  kernel tables, which are too good above all where long prompts are computed among many answers, and an API server
  process that streams thousands of answers costs nothing here. Hence 1.7 instead of 1.97 for precise / random.
- TTFT of precise scheduling is half of the published one: no proxy, no tokenizer, no client. Published it is 0.3 to
  0.5 s even at 3 requests/s, where the engine needs 0.1 s. That alone halves random / precise; in the large stages
  ours queues longer, too (127 against 106 s): from 40 requests/s on the published queues and TTFT stand still, as if
  the client kept no more than some number of requests open.
- approximate / precise is 1 while the picker knows the load of 50 ms ago. One second old, it is above the published
  57, and breaks where the published one breaks: fine at 35 requests/s, 45 s at 40. Then a queue that is gone already
  sends requests away from the replica that holds their prefix, the prefix is in use in two places, memory fills up,
  queues grow, and the guess takes both places for holders ever after. (Its memory of 122 of the 150 groups, where a
  replica's holds 51, is not the cause: one as large as the caches breaks as well.) The report compares two things at
  once: the guess with weights 1:1:1, exact knowledge with 2:2:3 (queue, KV, prefix). Either is enough here: the guess
  with 2:2:3 does not break, nor does exact knowledge with 1:1:1 (the last two rows). How old the published picker's
  view was is not told; that it was older than 50 ms is our explanation, not a measurement.
- When memory is full, ours throws running requests back, which then count as waiting: precise scheduling shows queues
  of 10 on average, after the last request of a large stage was sent. Published: 0.1.
"""


def published(stages: Sequence[tuple[float, float]]) -> tuple[dict[str, Row], dict[str, Any], list[Verdict]]:
    """The four schedulings over (some of) the published stages, the picker reading the load as often as it does."""
    shape = Shape()
    print(
        f"8 replicas of Qwen3-32B on 2 H100 each, {KV_TOKENS} KV tokens a replica; {shape.groups} groups x "
        f"{shape.users} users, {shape.prefix} + {shape.question} prompt and {shape.output} output tokens: a working "
        f"set of {shape.working_set / (REPLICAS * KV_TOKENS):.0%} of the caches (published: 73 %), "
        f"{shape.working_set / KV_TOKENS:.1f} times one of them"
    )
    heads = f"{'tok/s':>8}{'TTFT p90':>10}{'mean':>9}{'waiting':>9}{'hit':>7}"
    print(f"\n{'':12}{heads}   published: tok/s, p90, mean, waiting")
    rows: dict[str, Row] = {}
    found: dict[str, list[Stage]] = {}
    for name in SCHEDULINGS:
        rows[name], found[name] = _played(name, stages, SCRAPE_SECONDS)
        row, told = rows[name], FIGURES[name]
        print(
            f"{name:12}{row.tokens_per_second:8.0f}{row.ttft_p90:9.3f}s{row.ttft_mean:8.3f}s{row.waiting:9.1f}"
            f"{row.hit:7.1%}   {told.tokens_per_second:.0f}, {told.ttft_p90:.3f} s, {told.ttft_mean:.3f} s, "
            f"{told.waiting}"
        )
    _by_stage(found)
    precise, guess, load, chance = (rows[name] for name in SCHEDULINGS)
    throughput = precise.tokens_per_second / chance.tokens_per_second
    print(
        f"\nTTFT p90: random / precise {chance.ttft_p90 / precise.ttft_p90:.0f} (published 170), load-aware / precise "
        f"{load.ttft_p90 / precise.ttft_p90:.0f} (175), approximate / precise {guess.ttft_p90 / precise.ttft_p90:.2f} "
        f"(57; see below). Throughput: precise / random {throughput:.2f} (1.97), precise / approximate "
        f"{precise.tokens_per_second / guess.tokens_per_second:.2f} (1.26)"
    )
    alike = 1 + SAME
    figures = {f"{name}_ttft_p90_s": round(row.ttft_p90, 3) for name, row in rows.items()}
    figures |= {f"{name}_tokens_per_s": round(row.tokens_per_second) for name, row in rows.items()}
    return rows, figures, [
        Verdict("precise before or like approximate", precise.ttft_p90 <= guess.ttft_p90 * alike),
        Verdict("approximate before load-aware", guess.ttft_p90 < load.ttft_p90),
        Verdict("load-aware like random", chance.ttft_p90 / alike <= load.ttft_p90 <= chance.ttft_p90 * alike),
        Verdict("TTFT p90 random / precise at least 170", chance.ttft_p90 >= 170 * precise.ttft_p90),
        Verdict(f"throughput precise / random within {NEAR:.0%} of 1.97", abs(throughput / 1.97 - 1) <= NEAR),
    ]  # fmt: skip


def late(every: Sequence[float]) -> tuple[float, dict[str, Any], list[Verdict]]:
    """Precise and approximate scheduling while the picker reads the replicas' load every so many seconds. The ratio of
    their TTFT p90 at one second, figures, verdicts."""
    print("\nTTFT p90 by stage when the picker reads the replicas' load every so many seconds (published beside it)")
    print(f"{'':24}" + "".join(f"{rate:>9.0f}/s" for rate, _ in SOME) + "      all")
    for name in ("precise", "approximate"):
        told = dict(zip((rate for rate, _ in LADDER), FIGURES[name].stages, strict=True))
        print(f"{name:14}published " + "".join(f"{told[rate][1]:10.2f}s" for rate, _ in SOME))
    ratios, held = {}, []
    for seconds in every:
        rows = {}
        for name in ("precise", "approximate"):
            rows[name], stages = _row(name, SCHEDULINGS[name](), seconds)
            if name == "approximate" and seconds == 1.0:
                below, above = stages[1].ttft_p90, stages[2].ttft_p90
                held.append(Verdict("at 1 s approximate breaks between 35 and 40 requests/s", below < 3 < above))
        ratios[seconds] = rows["approximate"].ttft_p90 / rows["precise"].ttft_p90
    for name, document in (
        ("precise 1:1:1", configs.precise((1, 1, 1))),
        ("approx. 2:2:3", configs.approximate(weights=(2, 2, 3))),
    ):
        _row(name, document, 1.0)
    print(
        "TTFT p90 approximate / precise: "
        + ", ".join(f"{ratio:.0f} at {each:.1f} s" for each, ratio in ratios.items())
        + " (published 57)"
    )
    held.append(Verdict("at 1 s TTFT p90 approximate / precise at least 57", ratios[1.0] >= 57))
    return ratios[1.0], {f"approximate_to_precise_{each}s": round(ratio, 1) for each, ratio in ratios.items()}, held


def _row(name: str, document: Mapping[str, Any], scrape: float) -> tuple[Row, list[Stage]]:
    row, stages = staged(name, document, Shape(), SOME, replicas=REPLICAS, warm_up=WARM_UP, scrape=scrape)
    cells = "".join(f"{each.ttft_p90:10.2f}s" for each in stages)
    print(f"{name:14}{scrape:7.1f} s {cells}{row.ttft_p90:8.2f}s", flush=True)
    return row, stages


def _played(name: str, stages: Sequence[tuple[float, float]], scrape: float) -> tuple[Row, list[Stage]]:
    return staged(name, SCHEDULINGS[name](), Shape(), stages, replicas=REPLICAS, warm_up=WARM_UP, scrape=scrape)


def _by_stage(found: Mapping[str, Sequence[Stage]]) -> None:
    """tok/s and TTFT p90 of each stage, published ones in brackets."""
    told = {name: dict(zip((rate for rate, _ in LADDER), FIGURES[name].stages, strict=True)) for name in found}
    print("\nrequests/s  " + "".join(f"{name:34}" for name in found) + "tok/s and TTFT p90 (published)")
    for row in zip(*found.values(), strict=True):
        cells = []
        for name, stage in zip(found, row, strict=True):
            speed, ttft = told[name][stage.rate]
            cells.append(f"{stage.tokens_per_second:6.0f} ({speed:6.0f}) {stage.ttft_p90:7.2f}s ({ttft:6.2f})")
        print(f"{row[0].rate:10.0f}  " + "".join(f"{cell:34}" for cell in cells))
