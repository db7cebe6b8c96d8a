"""Four pools with whole idle minutes (Azure code) that share accelerators, against one always-on replica each.

    make bench NAME=standby                        five seeds of both kinds of pools, some ten minutes on two cores
    make bench NAME=standby ARGS="--seeds 1"
    make bench NAME=standby ARGS="--sleep 1"       if an engine fell asleep in a second instead of seven
    make bench NAME=standby ARGS="--keep 0.5 --ttft 20 --tpot 0.2"     one other kind of pools

Two kinds are played: *strict* pools (first token within 2 s, 60 ms a token, all of the trace's requests), and *patient*
ones, whose requests may wait for a turn (30 s, 200 ms a token) and are half as many. For each arrangement: hours of
accelerators and joint attainment with the production `decide()` and rule of turns; and what is lost beside always on,
by what took too long: the wait for a turn, the queue after it, the pace of tokens. For strict pools also what the best
schedule of turns found with all requests known beforehand attains, played, and a bound that no schedule exceeds.

One replica always awake meets 80 % of what strict pools ask, however long a first token may take: bursts slow its steps
beyond 60 ms a token. Groups of several accelerators are played as they are declared (`sets`), with a sleeper of every
pool on each. `ok`: half the hours at an attainment within a point, for patient pools. Strict ones miss it: two on each
accelerator cannot get there (the bound says so), all four on both are not known to.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context

from bench.common import finish
from bench.standby.sharing import ALWAYS, KINDS, STRICT, Kind, Result, compare, table

FIRST_SEED = 1
_CAUSES = ("turn", "queue", "pace")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="bench.standby", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=FIRST_SEED, help="the first seed")
    parser.add_argument(
        "--sleep", type=float, default=None, help="seconds to fall asleep (measured: 7); no bounds then"
    )
    parser.add_argument("--keep", type=_share, default=None, help="share of each copy's requests (default 1: all)")
    parser.add_argument("--ttft", type=float, default=None, help="SLO in seconds (default 2); no bounds for another")
    parser.add_argument("--tpot", type=float, default=None, help="SLO in seconds (default 0.06)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at once")
    options = parser.parse_args()
    kinds = _kinds(options)
    seeds = range(options.first, options.first + options.seeds)
    results: dict[str, dict[int, list[Result]]] = {kind.name: {} for kind in kinds}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as processes:
        waiting = {
            processes.submit(compare, seed, options.sleep, kind): (kind.name, seed) for seed in seeds for kind in kinds
        }
        for done, future in enumerate(as_completed(waiting), 1):
            name, seed = waiting[future]
            results[name][seed] = future.result()
            print(f"-- {done} of {len(waiting)}", flush=True)
    _close(kinds, {name: table(dict(sorted(found.items()))) for name, found in results.items()})


def _kinds(options: argparse.Namespace) -> Sequence[Kind]:
    asked = {name: value for name in ("keep", "ttft", "tpot") if (value := getattr(options, name)) is not None}
    return [replace(STRICT, name="as asked", **asked)] if asked else KINDS


def _share(text: str) -> float:
    if not 0 < (share := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"a share of the requests lies above 0 and is at most 1, not {text}")
    return share


def _close(kinds: Sequence[Kind], tables: Mapping[str, list[dict[str, float | str | None]]]) -> None:
    figures: dict[str, object] = {}
    ratios: dict[str, float] = {}
    halved = {}
    for kind in kinds:
        rows = tables[kind.name]
        _print(kind, rows)
        always, *others = rows
        halved[kind.name] = [row for row in others if _rounded(row["saved"]) >= 0.5]
        prefix = kind.name.replace(" ", "_")
        figures[f"{prefix}_always_on_attainment"] = _rounded(always["attainment"])
        for row in others:
            name = f"{prefix}_{row['name']}".replace(",", "").replace(" ", "_")
            figures[f"{name}_attainment"] = _rounded(row["attainment"])
            figures[f"{name}_points_lost"] = round(_rounded(row["points_lost"]), 2)
            ratios[f"{name}_hours_to_always_on"] = _rounded(1 - _rounded(row["saved"]))
            if row["bound"] is not None:
                figures[f"{name}_foreseen"] = _rounded(row["clairvoyant"])
                figures[f"{name}_bound"] = _rounded(row["bound"])
                ratios[f"{name}_attainment_to_foreseen"] = _rounded(
                    _rounded(row["attainment"]) / _rounded(row["clairvoyant"])
                )
    ok = any(_rounded(row["points_lost"]) <= 1.0 for row in halved[kinds[-1].name])
    finish("standby", figures=figures, ratios=ratios, peer=f"{ALWAYS}; the best schedule found beforehand", ok=ok)


def _print(kind: Kind, rows: Sequence[Mapping[str, float | str | None]]) -> None:
    print(f"\n{kind.told}\n  {'':38} {'':>6} {'':>6} {'':>9} {'points lost, of them to':>32}")
    print(
        f"  {'':38} {'hours':>6} {'saved':>6} {'attained':>9} {'lost':>6} {'(most)':>7} {'turn':>5} {'queue':>5} "
        f"{'pace':>5} {'foreseen':>9} {'bound':>6} {'p95':>7} {'turns':>6}"
    )
    for row in rows:
        lost, most, *of = (
            _rounded(row[f"{key}"]) for key in ("points_lost", "most_points_lost", *(f"lost_to_{w}" for w in _CAUSES))
        )
        print(
            f"  {row['name']:38} {row['hours']:6.2f} {100 * float(row['saved'] or 0):5.0f}% "
            f"{_percent(row, 'attainment'):>9} {lost:6.2f} {most:7.2f} {of[0]:5.2f} {of[1]:5.2f} {of[2]:5.2f} "
            f"{_percent(row, 'clairvoyant'):>9} {_percent(row, 'bound'):>6} {row['ttft_p95']:6.1f}s {row['wakes']:6.0f}"
        )
    always, *others = rows
    floor = _rounded(always["attainment"]) - 0.01
    within = [row for row in others if _rounded(row["attainment"]) >= floor]
    could = [row for row in others if _rounded(row["clairvoyant"]) >= floor]
    print(f"  within a point of always on: {_names(within)}" + ("" if not could else f"; could be: {_names(could)}"))


def _percent(row: Mapping[str, float | str | None], key: str) -> str:
    value = row[key]
    return "-" if value is None else f"{100 * float(value):.1f}%"


def _rounded(value: float | str | None) -> float:
    return round(float(value or 0.0), 4)


def _names(rows: Sequence[Mapping[str, float | str | None]]) -> str:
    return "; ".join(str(row["name"]) for row in rows) or "none of them"


if __name__ == "__main__":
    main()
