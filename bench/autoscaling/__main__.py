"""Autoscaling policies side by side: GPU-hours against joint attainment, on real and made-up workloads.

    make bench NAME=autoscaling                                   a quick run: four scenarios, coarse sweeps, one seed
    make bench NAME=autoscaling ARGS="--full --seeds 5"           everything (hours on one core)
    make bench NAME=autoscaling ARGS="--scenarios swing --policies lamplight --seeds 5"
    make bench NAME=autoscaling ARGS="--dynosim"                  the cross-check with NVIDIA's simulator alone

Every policy runs in our fleet simulator (apps/physics/fleet); `lamplight` is the production decide(), `static` a sweep
of fixed fleets, `foresight` the cheapest schedule found for a trace known beforehand. `ok` means: on every scenario
marked as swinging at least 95 % joint attainment at no more than 1.25 times foresight's hours at the same attainment,
and ahead of every peer at every level from 90 to 98 %; on flat ones at most 3 % behind the static frontier.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from apps.physics.fleet.run import Outcome
from apps.physics.fleet.types import Arrival
from bench.autoscaling import report
from bench.autoscaling.crosscheck import crosscheck
from bench.autoscaling.foresight import foresight
from bench.autoscaling.frontier import LEVELS, Row, hours_at, points_of
from bench.autoscaling.play import Played, play
from bench.autoscaling.policies import OURS, POLICIES
from bench.autoscaling.scenarios import Scenario, scenarios
from bench.common import finish

QUICK = ("swing", "quiet", "step", "fault-gap")
DEFAULT_OUT = Path(".lamplight-bench/autoscaling")
PEER = "HPA, KEDA, WVA, Knative, AIBrix, Ray Serve (ports, knobs swept), static fleets, foresight"


def main() -> None:
    options = _options()
    if options.dynosim:
        crosscheck(options.out, policies=not options.no_policies)
    every = scenarios(options.startup)
    names = options.scenarios.split(",") if options.scenarios else list(every) if options.full else list(QUICK)
    wanted = options.policies.split(",") if options.policies else list(POLICIES)
    unknown = [name for name in names if name not in every] + [name for name in wanted if name not in POLICIES]
    if unknown:
        print(f"no scenario or policy is called {', '.join(unknown)}")
        print(f"scenarios: {', '.join(every)}")
        print(f"policies: {', '.join(POLICIES)}")
        sys.exit(2)
    rows: list[Row] = []
    for name in names:
        for seed in range(1, options.seeds + 1):
            rows += _sweep(every[name], seed, wanted, fine=options.full, bound=not options.no_foresight)
    points = {name: points_of(row for row in rows if row.scenario == name) for name in names}
    verdicts = {name: _verdict(every[name], [row for row in rows if row.scenario == name]) for name in names}
    summary = {"seeds": options.seeds, "startup_s": options.startup, "verdicts": verdicts}
    data, page = report.write(options.out, rows, points, every, summary)
    _close(verdicts, data, page)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bench.autoscaling", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenarios", default="", help="names, separated by commas")
    parser.add_argument("--policies", default="", help="names, separated by commas; static and foresight always run")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--startup", type=float, default=90.0, help="seconds a replica takes to start (30, 90, 300)")
    parser.add_argument("--full", action="store_true", help="all scenarios, fine sweeps")
    parser.add_argument("--no-foresight", action="store_true", help="leave the bound out (half of a quick run)")
    parser.add_argument("--dynosim", action="store_true", help="cross-check with NVIDIA's DynoSim instead")
    parser.add_argument("--no-policies", action="store_true", help="with --dynosim: fixed fleets only")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help=f"folder of the report (default {DEFAULT_OUT})")
    return parser.parse_args()


def _sweep(scenario: Scenario, seed: int, wanted: Sequence[str], *, fine: bool, bound: bool) -> list[Row]:
    trace = scenario.arrivals(seed)
    print(f"\n{scenario.name}, seed {seed}: {scenario.title}; {len(trace)} requests", flush=True)
    rows = []
    for size in scenario.statics:
        rows.append(_row(scenario, "static", size, seed, play(scenario, trace, None, initial=size, seed=seed)))
    if bound and len(scenario.variants) == 1 and scenario.faults is None and not scenario.exact:
        rows += _bound(scenario, trace, seed, search=16 if fine else 4)
    for name in wanted:
        policy = POLICIES[name]
        if len(scenario.variants) > 1 and name != OURS:
            continue
        for value in policy.values if fine else policy.coarse:
            played = play(scenario, trace, policy.make(scenario, value), initial=scenario.initial, seed=seed)
            rows.append(_row(scenario, name, value, seed, played))
    return rows


def _bound(scenario: Scenario, trace: Sequence[Arrival], seed: int, search: int) -> list[Row]:
    start = time.perf_counter()
    found = foresight(scenario, trace, seed=seed, search=search)
    wall = (time.perf_counter() - start) / max(1, len(found))
    return [_row(scenario, "foresight", point.price, seed, Played(point.outcome, wall, 0.0)) for point in found]


def _row(scenario: Scenario, policy: str, knob: float, seed: int, played: Played) -> Row:
    outcome: Outcome = played.outcome
    hours = scenario.seconds / 3600
    row = Row(
        scenario.name,
        policy,
        knob,
        seed,
        outcome.attainment,
        outcome.lengthwise,
        outcome.accelerator_hours,
        outcome.cost,
        outcome.failed,
        outcome.ttft,
        outcome.tpot,
        outcome.hit,
        outcome.actions,
        outcome.reversals,
        outcome.reversals / hours,
        played.wall,
        played.deciding / max(1, len(outcome.curve)),
    )
    print(
        f"  {policy:12} {knob:7.3g}  {100 * row.attainment:6.2f} %  {row.hours:6.2f} GPU-h  {row.cost:7.2f} USD  "
        f"TTFT p99 {row.ttft[2]:6.2f} s  TPOT p99 {1000 * row.tpot[2]:4.0f} ms  {row.actions:3} changes, "
        f"{row.reversals:2} back  {row.failed} failed  ({row.wall:.1f} s)",
        flush=True,
    )
    return row


def _verdict(scenario: Scenario, rows: Sequence[Row]) -> dict[str, Any]:
    """How ours stands, per seed and in the mean: hours against foresight, static and the best peer."""
    found: dict[str, list[float]] = {"to_foresight": [], "to_static": [], "to_best_peer": []}
    attained, ahead = [], True
    for seed in sorted({row.seed for row in rows}):
        mine = [row for row in rows if row.seed == seed]
        groups: dict[str, list[tuple[float, float]]] = {}
        for row in mine:
            groups.setdefault(row.policy, []).append((row.hours, row.attainment))
        ours = next((row for row in mine if (row.policy, row.knob) == (OURS, 0.95)), None)
        if ours is None:
            continue
        attained.append(ours.attainment)
        peers = {name: line for name, line in groups.items() if name not in (OURS, "foresight", "static")}
        found["to_static"].append(ours.hours / hours_at(groups["static"], ours.attainment))
        if "foresight" in groups:
            found["to_foresight"].append(ours.hours / hours_at(groups["foresight"], min(ours.attainment, 0.99)))
        if peers:
            found["to_best_peer"].append(ours.hours / min(hours_at(line, ours.attainment) for line in peers.values()))
        for level in LEVELS:
            own = hours_at(groups[OURS], level)
            ahead = ahead and all(own <= hours_at(line, level) for line in peers.values())
    verdict: dict[str, Any] = {"attainment": _average(attained), "ahead_of_every_peer_90_98": ahead}
    for name, values in found.items():
        if values:
            (point,) = points_of([_fake(value, index) for index, value in enumerate(values)])
            verdict[name] = round(point.hours, 3)
            verdict[f"{name}_off"] = round(point.hours_off, 3)
    if scenario.swing and attained:
        verdict["ok"] = bool(min(attained) >= 0.95 and verdict.get("to_foresight", 1.0) <= 1.25 and ahead)
    elif scenario.flat and attained:
        verdict["ok"] = bool(verdict["to_static"] <= 1.03)
    return verdict


def _fake(value: float, seed: int) -> Row:
    return Row("", "", 0.0, seed, 0.0, 0.0, value, 0.0, 0, (0, 0, 0), (0, 0, 0), 0.0, 0, 0, 0.0, 0.0, 0.0)


def _average(values: Sequence[float]) -> float | None:
    return round(sum(values) / len(values), 4) if values else None


def _close(verdicts: dict[str, dict[str, Any]], data: Path, page: Path) -> None:
    print(f"\nreport: {data} and {page}")
    figures: dict[str, object] = {}
    ratios: dict[str, float] = {}
    for name, verdict in verdicts.items():
        print(f"  {name:12} " + ", ".join(f"{key} {value}" for key, value in verdict.items()))
        figures[f"{name}_attainment"] = verdict["attainment"]
        figures[f"{name}_ahead_of_every_peer_90_98"] = verdict["ahead_of_every_peer_90_98"]
        for key in ("to_foresight", "to_static", "to_best_peer"):
            if key in verdict:
                ratios[f"{name}_hours_{key}"] = verdict[key]
    finish(
        "autoscaling", figures=figures, ratios=ratios, peer=PEER, ok=all(v.get("ok", True) for v in verdicts.values())
    )


if __name__ == "__main__":
    main()
