"""`lamp simulate`: what a policy would have made of a trace or of the pool's own history."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from controlplane.cli.client import Client
from controlplane.cli.failures import REFUSED, TIMED_OUT, USAGE, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, seconds, team_option
from controlplane.cli.output import note, print_json, print_table

__all__ = ["simulate"]

_PAUSE = 0.5


@click.command(short_help="Play a trace or a pool's history through policies, in virtual time.")
@one_pool
@click.option("--trace", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="Mooncake JSONL or Azure CSV [the pool's own history].")  # fmt: skip
@click.option("--hours", type=click.FloatRange(0.05, 24), default=1.0, show_default=True, help="Of the history.")
@click.option("--policy", "policies", multiple=True, metavar="POLICY",
              help="lamplight, static:N, hpa:queue|running|kv:TARGET; more than once [lamplight].")  # fmt: skip
@click.option("--ttft", metavar="TIME", help="Limit of the time to first token [the pool's SLO].")
@click.option("--tpot", metavar="TIME", help="Limit of the time between tokens [the pool's SLO].")
@click.option(
    "--fraction", type=click.FloatRange(0, 1, min_open=True, max_open=True), help="Share that must meet both."
)
@click.option("--startup", "startups", multiple=True, metavar="VARIANT=TIME[,P90]", help="Start-up of its replicas.")
@click.option("--price", "prices", multiple=True, metavar="VARIANT='3.20 USD/h'", help="Of one accelerator.")
@click.option(
    "--scale", type=click.FloatRange(0.01, 100), default=1.0, show_default=True, help="Times as many requests."
)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--label", default="", help="A name for it in the list.")
@click.option("--timeout", default="330s", metavar="TIME", show_default=True, help="Then exit with 124.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the whole simulation.")
@team_option
def simulate(target: Target, team: str | None, output: str | None, timeout: str, **options: Any) -> None:
    """Play a trace, or the pool's own history, through the production policy and others; nothing is changed.

    Prints for each policy the attainment, the accelerator hours and the cost, and the decisions of the first.
    """
    body = _body(options)
    client = connect(team)
    path, _ = find(client, target)
    made = client.send("POST", f"{path}/simulate", body, timeout=120.0)
    done = _wait(client, f"{path}/simulations/{made['id']}", seconds(timeout), quiet=output == "json")
    if output == "json":
        print_json(done)
    if done["status"] != "done":
        raise Failure(f"The simulation failed: {done['message']}", REFUSED)
    if output != "json":
        _print(done["result"])


def _wait(client: Client, path: str, limit: float, *, quiet: bool) -> dict[str, Any]:
    deadline, said = time.monotonic() + limit, -1
    while True:
        found: dict[str, Any] = client.get(path)
        if found["status"] in ("done", "failed"):
            return found
        tenth = int(found["progress"] * 10)
        if not quiet and tenth > said:
            said = tenth
            note(f"{found['status']} {found['progress']:.0%}")
        if time.monotonic() > deadline:
            raise Failure(f"It is {found['status']} still; look later: GET {path}", TIMED_OUT)
        time.sleep(_PAUSE)


def _body(options: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"scale": options["scale"], "seed": options["seed"], "label": options["label"]}
    trace: Path | None = options["trace"]
    if trace is None:
        body["source"] = {"kind": "history", "hours": options["hours"]}
    else:
        content = trace.read_text(encoding="utf-8", errors="replace")
        form = "mooncake" if content.lstrip().startswith("{") else "azure"
        body["source"] = {"kind": "trace", "format": form, "content": content}
        body["label"] = body["label"] or trace.name
    if options["policies"]:
        body["policies"] = [_policy(text) for text in options["policies"]]
    slo = {name: options[name] for name in ("ttft", "tpot", "fraction") if options[name] is not None}
    if slo:
        body["slo"] = slo
    body["startup"] = {name: _start(text) for name, text in map(_pair, options["startups"])}
    body["price"] = dict(map(_pair, options["prices"]))
    return body


def _policy(text: str) -> dict[str, Any]:
    name, *rest = text.split(":")
    try:
        if name == "lamplight" and not rest:
            return {"kind": "lamplight"}
        if name == "static" and len(rest) == 1:
            return {"kind": "static", "replicas": int(rest[0])}
        if name == "hpa" and len(rest) == 2:
            return {"kind": "hpa", "metric": rest[0], "target": float(rest[1])}
    except ValueError:
        pass
    raise Failure(f"{text!r} is no policy; write lamplight, static:3 or hpa:queue:5 (queue, running or kv).", USAGE)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise Failure(f"{text!r} must be VARIANT=VALUE, as h200=90s.", USAGE)
    return name, value


def _start(text: str) -> dict[str, str]:
    middle, _, late = text.partition(",")
    return {"p50": middle, "p90": late or middle}


def _print(result: dict[str, Any]) -> None:
    slo = result["slo"]
    click.echo(
        f"{result['requests']} requests in {result['seconds'] / 60:.0f} min, {result['arrivals']}; "
        f"TTFT {slo['ttft']:g} s and TPOT {1000 * slo['tpot']:g} ms for {slo['fraction']:.1%}"
    )
    print_table(
        ("POLICY", "ATTAINED", "MET", "TTFT P90", "TPOT P90", "GPU-HOURS", "COST", "CHANGES", "FAILED"),
        [
            (
                run["policy"],
                f"{run['attainment']:.2%}",
                "yes" if run["met"] else "no",
                f"{run['ttft']['p90']:.2f} s",
                f"{1000 * run['tpot']['p90']:.0f} ms",
                f"{run['acceleratorHours']:.2f}",
                "unknown" if run["cost"] is None else f"{run['cost']:.2f} {result['currency']}",
                run["actions"],
                run["failed"],
            )
            for run in result["runs"]
        ],
    )
    told = next((run for run in result["runs"] if run["decisions"]), None)
    for each in told["decisions"][:20] if told else ():
        click.echo(f"  {each['at'] / 60:5.1f} min  {each['sentence']}")
