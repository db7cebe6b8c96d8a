"""Four pools with whole idle minutes (Azure code) that share accelerators, against one always-on replica each.

    make bench NAME=standby                        five seeds, about four minutes on two cores
    make bench NAME=standby ARGS="--seeds 1"
    make bench NAME=standby ARGS="--sleep 1"       if an engine fell asleep in a second instead of seven
    make bench NAME=standby ARGS="--keep 0.5"      with half of the trace's requests, which one replica can serve
    make bench NAME=standby ARGS="--ttft 30 --tpot 0.2"     pools whose requests may wait for a turn

For each arrangement: hours of accelerators and joint attainment with the production `decide()` and rule of turns; what
the best schedule of turns found with all requests known beforehand attains, played; and a bound that no schedule
exceeds. One replica always awake meets 80 % here, however long a first token may take: bursts slow its steps beyond
60 ms a token; half of the requests it meets to 96 %, and all of them to 99 % within 30 s and 200 ms. Groups
of several accelerators are played as they are declared (`sets`), with a sleeper of every pool on each. `ok`: half the
hours at an attainment within a point.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from apps.physics.fleet.run import Limits
from bench.common import finish
from bench.standby.sharing import ALWAYS, TPOT, TTFT, Result, compare, table

FIRST_SEED = 1


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench.standby", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--sleep", type=float, default=None, help="seconds to fall asleep (measured: 7); no bounds then"
    )
    parser.add_argument("--keep", type=_share, default=1.0, help="share of each copy's requests (default 1: all)")
    parser.add_argument("--ttft", type=float, default=TTFT, help="SLO in seconds (default 2); no bounds for another")
    parser.add_argument("--tpot", type=float, default=TPOT, help="SLO in seconds (default 0.06)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    options = parser.parse_args()
    results: dict[int, list[Result]] = {}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as processes:
        how = (options.sleep, options.keep, Limits(options.ttft, options.tpot))
        waiting = {processes.submit(compare, FIRST_SEED + at, *how): at for at in range(options.seeds)}
        for done, future in enumerate(as_completed(waiting), 1):
            results[FIRST_SEED + waiting[future]] = future.result()
            print(f"-- {done} of {options.seeds} seeds", flush=True)
    _close(table(dict(sorted(results.items()))))


def _share(text: str) -> float:
    if not 0 < (share := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"a share of the requests lies above 0 and is at most 1, not {text}")
    return share


def _close(rows: list[dict[str, float | str | None]]) -> None:
    print(f"\n  {'':38} {'hours':>6} {'saved':>6} {'attained':>9} {'foreseen':>9} {'bound':>6} {'p95':>7} {'wakes':>6}")
    for row in rows:
        print(
            f"  {row['name']:38} {row['hours']:6.2f} {100 * float(row['saved'] or 0):5.0f}% "
            f"{_percent(row, 'attainment'):>9} {_percent(row, 'clairvoyant'):>9} "
            f"{_percent(row, 'bound'):>6} {row['ttft_p95']:6.1f}s {row['wakes']:6.0f}"
        )
    always, *others = rows
    floor = _rounded(always["attainment"]) - 0.01
    within = [row for row in others if _rounded(row["attainment"]) >= floor]
    could = [row for row in others if _rounded(row["clairvoyant"]) >= floor]
    figures = {"always_on_attainment": _rounded(always["attainment"])}
    ratios = {}
    for row in others:
        name = str(row["name"]).replace(",", "").replace(" ", "_")
        figures[f"{name}_attainment"] = _rounded(row["attainment"])
        figures[f"{name}_points_lost"] = round(_rounded(row["points_lost"]), 2)
        ratios[f"{name}_hours_to_always_on"] = _rounded(1 - _rounded(row["saved"]))
        if row["bound"] is not None:
            figures[f"{name}_foreseen"] = _rounded(row["clairvoyant"])
            figures[f"{name}_bound"] = _rounded(row["bound"])
            ratios[f"{name}_attainment_to_foreseen"] = _rounded(
                _rounded(row["attainment"]) / _rounded(row["clairvoyant"])
            )
    print(f"\n  within a point of always on: {_names(within)}; with all known beforehand: {_names(could)}")
    ok = any(_rounded(row["saved"]) >= 0.5 for row in within)
    finish("standby", figures=figures, ratios=ratios, peer=f"{ALWAYS}; the best schedule found beforehand", ok=ok)


def _percent(row: Mapping[str, float | str | None], key: str) -> str:
    value = row[key]
    return "-" if value is None else f"{100 * float(value):.1f}%"


def _rounded(value: float | str | None) -> float:
    return round(float(value or 0.0), 4)


def _names(rows: list[dict[str, float | str | None]]) -> str:
    return "; ".join(str(row["name"]) for row in rows) or "none of them"


if __name__ == "__main__":
    main()
