"""What scheduling is worth: llm-d's published experiments replayed in virtual time, our ratios beside theirs.

`--quick` plays three stages of the first experiment; it takes half a minute.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from bench.common import finish
from bench.paths import disaggregated, experiment, others
from bench.paths.published import LADDER
from bench.paths.rendering import rendering_ms
from bench.paths.verdict import Verdict


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="three stages of the first experiment only")
    quick = parser.parse_args().quick
    begun = time.perf_counter()
    rows, figures, verdicts = experiment.published([LADDER[3], LADDER[8], LADDER[-1]] if quick else LADDER)
    ratio, told, held = experiment.late((1.0,) if quick else experiment.LATE)
    figures |= told
    verdicts += held
    print(experiment.DIFFERENCES)
    parts = () if quick else (others.tiers, others.cold, disaggregated.apart, others.predicted)
    for part in parts:
        told, held = part()
        figures |= {f"{part.__name__}_{name}": round(value, 3) for name, value in told.items()}
        verdicts += held
    milliseconds = rendering_ms()
    print(f"rendering a pool: {milliseconds:.2f} ms (limit 5)")
    verdicts.append(Verdict("rendering a pool under 5 ms", milliseconds < 5))
    for verdict in verdicts:
        print(f"{'ok  ' if verdict.held else 'MISS'} {verdict.claim}")
    precise, guess, chance = rows["precise"], rows["approximate"], rows["random"]
    more: dict[str, Any] = {"rendering_ms": round(milliseconds, 2), "seconds": round(time.perf_counter() - begun, 1)}
    finish(
        "paths",
        figures={**figures, **more},
        ratios={
            "ttft_p90_approximate_to_precise": round(guess.ttft_p90 / precise.ttft_p90, 2),
            "ttft_p90_approximate_to_precise_load_1s_old": round(ratio, 1),
            "ttft_p90_random_to_precise": round(chance.ttft_p90 / precise.ttft_p90, 1),
            "throughput_precise_to_random": round(precise.tokens_per_second / chance.tokens_per_second, 2),
            "rendering_to_limit": round(milliseconds / 5, 3),
        },
        peer="llm-d's published experiment (57, 170 and 1.97); rendering: 5 ms",
        ok=all(verdict.held for verdict in verdicts),
    )


if __name__ == "__main__":
    main()
