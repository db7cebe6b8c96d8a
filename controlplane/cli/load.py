"""`lamp load`: play traffic against a pool or any OpenAI server, and report latencies as the client saw them."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import click

from controlplane.cli.failures import REFUSED, UNREACHABLE, USAGE, Failure
from controlplane.cli.kinds import Target as Wanted
from controlplane.cli.kinds import find_kind
from controlplane.cli.options import connect, find, seconds, team_option
from controlplane.cli.output import note, print_json, print_table

__all__ = ["load"]


@click.command(short_help="Play traffic against a pool and report latencies.")
@click.argument("url", required=False, metavar="[URL | pool/NAME]")
@click.option("--pool", metavar="NAME", help="Play against the endpoint of this pool instead of a URL.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=2.0, show_default=True, help="Requests/s.")
@click.option("--curve", default=None, metavar="T:RATE,...",
              help="Rates over time, straight in between: 0s:1,4m:8,5m:1.")  # fmt: skip
@click.option("--duration", default=None, metavar="TIME", help="How long requests are sent [60s; a trace: all of it].")
@click.option("--requests", type=click.IntRange(min=1), default=None, help="Send at most so many.")
@click.option(
    "--prefix-groups", type=click.IntRange(min=0), default=8, show_default=True, help="Different shared prefixes."
)
@click.option("--users", type=click.IntRange(min=1), default=None, help="Questions per group [each question is new].")
@click.option("--prefix-tokens", type=click.IntRange(min=0), default=1024, show_default=True)
@click.option("--question-tokens", type=click.IntRange(min=1), default=128, show_default=True)
@click.option("--output-tokens", type=click.IntRange(min=1), default=128, show_default=True)
@click.option(
    "--trace", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Mooncake JSONL or Azure CSV."
)
@click.option("--start", default="0s", metavar="TIME", show_default=True, help="Begin so far into the trace.")
@click.option("--time-scale", type=click.FloatRange(min=0, min_open=True), default=1.0, show_default=True,
              help="Requests arrive so many times as fast.")  # fmt: skip
@click.option("--max-prompt-tokens", type=click.IntRange(min=1), default=None, help="Cut longer prompts of a trace.")
@click.option("--max-output-tokens", type=click.IntRange(min=1), default=None, help="Cut longer answers of a trace.")
@click.option("--api", type=click.Choice(["completions", "chat"]), default="completions", show_default=True)
@click.option("--model", default=None, help="Model to ask for [the first that the server lists].")
@click.option("--api-key", default=None, envvar="OPENAI_API_KEY", help="Bearer token of the server.")
@click.option("--max-inflight", type=click.IntRange(min=1), default=1024, show_default=True,
              help="Requests due beyond this are counted as shed.")  # fmt: skip
@click.option("--timeout", default="600s", metavar="TIME", show_default=True, help="Deadline of one request.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
@team_option
def load(url: str | None, pool: str | None, team: str | None, as_json: bool, **options: Any) -> None:
    """Send open-loop traffic to a pool or to URL, and report TTFT, TPOT, ITL and errors as the client sees them.

    Without --trace, arrivals are a Poisson process and prompts share prefixes. A server that is too slow gets no rest:
    arrivals do not wait for answers. Exit code 1 when no request succeeded.
    """
    base_url, served = _target(url, pool, team)
    options["model"] = options["model"] or served
    plan = _plan(options)
    if not plan:
        raise Failure("Nothing to send: no request falls into that time. Raise --duration or --rate.", USAGE)
    report = asyncio.run(_run(base_url, plan, options, quiet=as_json or not sys.stderr.isatty()))
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.succeeded:
        raise Failure("No request succeeded.", REFUSED)


def _target(url: str | None, pool: str | None, team: str | None) -> tuple[str, str | None]:
    """The address, and of a pool the model it serves: one that sleeps lists none."""
    if (url is None) == (pool is None):
        raise Failure("Say what to load: pool/NAME, or a URL.", USAGE)
    if url is not None and (named := url.removeprefix("pool/")) != url:
        url, pool = None, named
    if url is not None:
        if not url.startswith(("http://", "https://")):
            raise Failure(f"{url!r} is neither a pool nor a URL; write pool/chat, or http://127.0.0.1:8000.", USAGE)
        return url, None
    _, found = find(connect(team), Wanted(find_kind("pool"), str(pool)))
    status = found.get("status") or {}
    endpoint = status.get("endpoint")
    if not endpoint:
        raise Failure(
            f"Pool {pool} has no endpoint yet; wait for it with `lamp wait --for=condition=Ready pool/{pool}`."
        )
    return str(endpoint), status.get("servedName")


def _plan(options: dict[str, Any]) -> list[Any]:
    from apps.benchmarks.domain import traces, workloads

    duration = seconds(options["duration"]) if options["duration"] else None
    scale = options["time_scale"]
    if options["trace"] is not None:
        try:
            with options["trace"].open(encoding="utf-8") as lines:
                plan = traces.read_trace(lines)
        except (traces.TraceError, UnicodeDecodeError) as error:
            raise Failure(f"{options['trace']}: {error}", USAGE) from error
        span = None if duration is None else duration * scale
        plan = workloads.window(plan, start=seconds(options["start"]), duration=span, requests=options["requests"])
        plan, cut = workloads.clipped(
            plan, prompt_tokens=options["max_prompt_tokens"], output_tokens=options["max_output_tokens"]
        )
        if cut:
            note(f"{cut} of {len(plan)} requests were cut to the token limits.")
        return workloads.faster(plan, scale)
    shape = workloads.SharedPrefixes(
        groups=options["prefix_groups"],
        users=options["users"],
        prefix_tokens=options["prefix_tokens"] if options["prefix_groups"] else 0,
        question_tokens=options["question_tokens"],
        output_tokens=options["output_tokens"],
    )
    if options["curve"]:
        points = [(at / scale, rate * scale) for at, rate in _points(options["curve"])]
        arrivals = [at for at in workloads.varying(points, options["seed"]) if duration is None or at < duration]
    else:
        arrivals = list(workloads.poisson(options["rate"] * scale, duration or 60.0, options["seed"]))
    return workloads.shared_prefixes(shape, arrivals, options["seed"])[: options["requests"]]


def _points(text: str) -> list[tuple[float, float]]:
    """`0s:1,4m:8` as (seconds, requests/s). Raises Failure."""
    points: list[tuple[float, float]] = []
    for part in text.split(","):
        at, colon, rate = part.strip().partition(":")
        try:
            point = (seconds(at), float(rate))
        except (ValueError, click.UsageError):
            colon = ""
        if not colon or point[1] < 0 or (points and point[0] <= points[-1][0]):
            raise Failure(
                f"--curve: {part!r} is no point of it. Write times that rise, rates of 0 or more, as 0s:1,4m:8,5m:1.",
                USAGE,
            )
        points.append(point)
    return points


def _length(options: dict[str, Any]) -> float:
    """Seconds that the load lasts at least: a curve that ends in silence has it played too."""
    if not options["curve"] or options["requests"]:
        return 0.0
    end = _points(options["curve"])[-1][0] / float(options["time_scale"])
    return min(end, seconds(options["duration"])) if options["duration"] else end


async def _run(base_url: str, plan: list[Any], options: dict[str, Any], *, quiet: bool) -> Any:
    import aiohttp

    from apps.benchmarks import load as player
    from apps.benchmarks.domain.outcomes import report

    headers = {"Authorization": f"Bearer {options['api_key']}"} if options["api_key"] else {}
    try:
        model = options["model"] or await player.served_model(base_url, headers)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Failure(f"{base_url} cannot be reached: {_why(error)}.", UNREACHABLE) from error
    except ValueError as error:
        raise Failure(f"{error}. Name the model with --model.") from error
    target = player.Target(base_url, model, options["api"], headers, seconds(options["timeout"]))
    note(f"{len(plan)} requests over {plan[-1].at:.0f} s to {target.url}, model {model}")
    outcomes, taken = await player.play(
        target,
        plan,
        most_inflight=options["max_inflight"],
        progress=None if quiet else _progress,
        least=_length(options),
    )
    if not quiet:
        click.echo("\r" + " " * 40 + "\r", err=True, nl=False)
    return report(outcomes, taken)


def _why(error: Exception) -> str:
    """The system's own words where it has some; aiohttp's are for programmers."""
    cause = getattr(error, "os_error", error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(cause)


def _progress(answered: int, inflight: int) -> None:
    click.echo(f"\r{answered} answered, {inflight} in flight   ", err=True, nl=False)


def _print(report: Any) -> None:
    rows = [
        (name, *(_ms(getattr(found, column)) for column in ("mean", "p50", "p90", "p95", "p99", "max")))
        for name, found in (
            ("TTFT", report.ttft),
            ("TPOT", report.tpot),
            ("ITL", report.itl),
            ("end to end", report.e2e),
            ("sent late by", report.lateness),
        )
        if found is not None
    ]
    print_table(("", "MEAN", "P50", "P90", "P95", "P99", "MAX"), rows)
    click.echo()
    cached = f", {report.cached_tokens} of them cached" if report.cached_tokens is not None else ""
    click.echo(f"{report.succeeded} of {report.requests} requests succeeded in {report.duration:.1f} s")
    click.echo(f"{report.request_rate:.2f} requests/s, {report.output_token_rate:.1f} output tokens/s")
    click.echo(f"{report.prompt_tokens} prompt tokens{cached}; {report.output_tokens} output tokens")
    for kind, count in report.errors.items():
        click.echo(f"{count} x {kind}")


def _ms(value: float) -> str:
    return f"{value * 1000:.1f} ms"
