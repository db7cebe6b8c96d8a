"""The report: one JSON file with everything, one HTML page with a frontier for each scenario."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.autoscaling.frontier import Point, Row, frontier
from bench.autoscaling.scenarios import IN_SAMPLE, Scenario

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 360, 60, 40
OURS, BOUND = "lamplight", "foresight"
COLOURS = (
    "#7a5195",
    "#bc5090",
    "#ef5675",
    "#ff764a",
    "#ffa600",
    "#488f31",
    "#8aa1b4",
    "#6b8e23",
    "#00798c",
    "#a05195",
    "#665191",
    "#8b5a2b",
    "#555555",
)
MARKS = "●■▲◆▼★✚✖◐◧◭◈⬟"


def write(
    folder: Path,
    rows: Sequence[Row],
    points: Mapping[str, Sequence[Point]],
    scenarios: Mapping[str, Scenario],
    summary: Mapping[str, Any],
) -> tuple[Path, Path]:
    """autoscaling.json and autoscaling.html in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / "autoscaling.json", folder / "autoscaling.html"
    data.write_text(
        json.dumps(
            {
                "summary": summary,
                "points": {name: [asdict(point) for point in found] for name, found in points.items()},
                "rows": [asdict(row) for row in rows],
            },
            indent=1,
        )
    )
    sections = "".join(
        _section(scenarios[name], found, summary["verdicts"][name].get("standings", ()))
        for name, found in points.items()
    )
    page.write_text(
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Autoscaling: frontiers</title>"
        "<style>body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
        "table{border-collapse:collapse;font-size:13px}td,th{padding:2px 10px;text-align:right}"
        "td:first-child,th:first-child{text-align:left}svg{width:100%;height:auto}</style>"
        "<h1>Autoscaling policies: GPU-hours against attainment</h1>"
        "<p>Attainment is joint: TTFT and TPOT of the same request. Each point is a value of the policy's main knob, "
        f"the mean over seeds; bars are 95 % intervals. Left and up is better.</p><p>{html.escape(IN_SAMPLE)}</p>"
        + _summary(summary)
        + sections
        + "</html>"
    )
    return data, page


def _summary(summary: Mapping[str, Any]) -> str:
    """The verdicts, pools that go to zero beside the ski-rental optimum, and the four pools that share."""
    verdicts = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{_said(v.get('ok'))}</td><td>{v['seeds']}</td>"
        f"<td>{_percent(v['attainment'])} ± {_percent(v['attainment_off'])}</td><td>{_ratio(v, 'to_foresight')}</td>"
        f"<td>{_ratio(v, 'to_static')}</td><td>{_ratio(v, 'to_best_peer')}</td><td>{v['reversals_per_hour']}</td>"
        f"<td>{html.escape('; '.join(v.get('behind', [])[:6]))}</td></tr>"
        for name, v in summary["verdicts"].items()
    )
    rentals = "".join(f"<li>{_rental(name, found)}</li>" for name, found in summary["rentals"].items() if found)
    rows = "".join(
        f"<h3>{html.escape(told)}</h3><ul>{''.join(f'<li>{_sharing(each)}</li>' for each in found)}</ul>"
        for told, found in summary["sharing"].items()
    )
    sharing = (
        "<h2>Shared standby</h2><p>Four pools, each with a shifted copy of the Azure code trace (bench/standby, which "
        f"prints the bounds of each arrangement).</p>{rows}"
        if rows
        else ""
    )
    return (
        "<h2>Verdict</h2><p>Hours of ours against foresight, fixed fleets and the best peer at the same attainment; "
        f"size {summary['size']}, start-up {summary['startup_s']:g} s; played in {summary['seconds']:.0f} s.</p>"
        "<table><tr><th>scenario</th><th>holds</th>"
        "<th>seeds</th><th>attainment</th><th>foresight</th><th>static</th><th>best peer</th><th>reversals/h</th>"
        f"<th>behind</th></tr>{verdicts}</table><ul>{rentals}</ul>{sharing}"
    )


def _rental(name: str, found: Mapping[str, float]) -> str:
    return (
        f"{html.escape(name)}, to zero: {_percent(found['attainment'])} with {found['hours']:.2f} GPU-hours "
        f"(who knows nothing beforehand at most {_percent(found['reachable_attainment'])}), "
        f"at least one replica there for {found['present_hours']:.2f} h; "
        f"the ski-rental optimum of one replica {found['optimum_hours']:.2f}, "
        f"the break-even rule {found['break_even_hours']:.2f}, always on {found['always_on_hours']:.2f} "
        f"(one replica: {_percent(found['always_on_attainment'])})"
    )


def _sharing(found: Mapping[str, Any]) -> str:
    return (
        f"{html.escape(str(found['name']))}: {_percent(found['attainment'])} with {found['hours']:.2f} "
        f"GPU-hours, {_percent(found['saved'])} fewer, {found['points_lost']:.2f} points lost, "
        f"TTFT p95 {found['ttft_p95']:.1f} s, {found['wakes']:.0f} turns"
    )


def _said(ok: bool | None) -> str:
    return {True: "yes", False: "no", None: "no claim"}[ok]


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _ratio(verdict: Mapping[str, Any], name: str) -> str:
    return f"{verdict[name]:.2f} ± {verdict[f'{name}_off']:.2f}" if name in verdict else "–"


def _standings(every: Sequence[Mapping[str, Any]]) -> str:
    """Hours of ours per hour of each peer, a row a peer, a column a level."""
    if not every:
        return ""
    levels = list(dict.fromkeys(each["level"] for each in every))
    head = "".join(f"<th>{100 * level:g} %</th>" for level in levels)
    body = ""
    for peer in dict.fromkeys(each["peer"] for each in every):
        cells = "".join(f"<td>{_standing(each)}</td>" for each in every if each["peer"] == peer)
        body += f"<tr><td>{html.escape(peer)}</td>{cells}</tr>"
    return (
        "<p>GPU-hours of ours per hour of each peer at the same attainment, mean over seeds with the 95 % interval; "
        f"below 1 ours is cheaper.</p><table><tr><th>peer</th>{head}</tr>{body}</table>"
    )


def _standing(each: Mapping[str, Any]) -> str:
    if each["lost"]:
        return "ours does not get there"
    if not each["seeds"]:
        return "never gets there"
    scatter = f" ± {each['off']:.2f}" if each["off"] is not None else ""
    text = f"{each['ratio']:.2f}{scatter}"
    return text if each["ratio"] < 1 else f"<b>{text}</b>"


def _section(scenario: Scenario, points: Sequence[Point], standings: Sequence[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(p.policy)}</td><td>{p.knob:g}</td><td>{100 * p.attainment:.2f}</td>"
        f"<td>± {100 * p.attainment_off:.2f}</td><td>{p.hours:.2f}</td><td>± {p.hours_off:.2f}</td>"
        f"<td>{p.cost:.2f}</td>"
        f"<td>{p.reversals_per_hour:.1f}</td></tr>"
        for p in points
    )
    return (
        f"<h2>{html.escape(scenario.name)}: {html.escape(scenario.title)}</h2>"
        f"<p>TTFT {scenario.ttft:g} s, TPOT {1000 * scenario.tpot:g} ms, start-up "
        f"{scenario.variants[0].startup.p50:g} s, {scenario.seconds / 3600:.2g} h.</p>"
        f"{_chart(points)}{_standings(standings)}"
        "<table><tr><th>policy</th><th>knob</th><th>attainment %</th><th></th><th>GPU-hours</th><th></th><th>cost</th>"
        f"<th>reversals/h</th></tr>{rows}</table>"
    )


def _chart(points: Sequence[Point]) -> str:
    lowest = 0.7
    shown = [point for point in points if point.attainment >= lowest]
    if not shown:
        return ""
    most = 1.05 * sorted(point.hours for point in shown)[int(0.9 * (len(shown) - 1))]

    def x(hours: float) -> float:
        return LEFT + (WIDTH - LEFT - 10) * min(hours / most, 1.0)

    def y(attainment: float) -> float:
        return 10 + (HEIGHT - BOTTOM - 10) * (1 - (max(attainment, lowest) - lowest) / (1 - lowest))

    parts = []
    for level in (0.7, 0.8, 0.9, 0.95, 1.0):
        parts.append(
            f"<line x1='{LEFT}' x2='{WIDTH - 10}' y1='{y(level):.0f}' y2='{y(level):.0f}' stroke='#ddd'/>"
            f"<text x='{LEFT - 8}' y='{y(level) + 4:.0f}' text-anchor='end' font-size='12'>{100 * level:g} %</text>"
        )
    for part in range(6):
        hours = most * part / 5
        parts.append(
            f"<text x='{x(hours):.0f}' y='{HEIGHT - 20}' text-anchor='middle' font-size='12'>{hours:.1f}</text>"
        )
    parts.append(f"<text x='{WIDTH / 2}' y='{HEIGHT - 4}' text-anchor='middle' font-size='12'>GPU-hours</text>")
    names = list(dict.fromkeys(point.policy for point in points))
    for index, name in enumerate(names):
        mine = [point for point in shown if point.policy == name]
        colour = "#d7263d" if name == OURS else "#111111" if name == BOUND else COLOURS[index % len(COLOURS)]
        mark, wide = MARKS[index % len(MARKS)], 3 if name in (OURS, BOUND) else 1
        line = frontier([(point.hours, point.attainment) for point in mine])
        path = " ".join(f"{x(hours):.1f},{y(attainment):.1f}" for hours, attainment in line)
        parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='{wide}'/>")
        for point in mine:
            at, up = x(point.hours), y(point.attainment)
            label = html.escape(f"{name} {point.knob:g}: {100 * point.attainment:.2f} % at {point.hours:.2f} h")
            parts.append(
                f"<line x1='{x(point.hours - point.hours_off):.1f}' x2='{x(point.hours + point.hours_off):.1f}' "
                f"y1='{up:.1f}' y2='{up:.1f}' stroke='{colour}'/>"
                f"<text x='{at:.1f}' y='{up + 4:.1f}' text-anchor='middle' font-size='11' fill='{colour}'>{mark}"
                f"<title>{label}</title></text>"
            )
        parts.append(
            f"<text x='{WIDTH - 130}' y='{HEIGHT - BOTTOM - 14 * (len(names) - index):.0f}' font-size='12' "
            f"fill='{colour}'>{mark} {html.escape(name)}</text>"
        )
    return f"<svg viewBox='0 0 {WIDTH} {HEIGHT}' role='img'>{''.join(parts)}</svg>"
