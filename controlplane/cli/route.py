"""`lamp route`: why requests of a pool go to which replica."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.failures import USAGE, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, clean, note, print_json, print_table

__all__ = ["route"]


@click.group(short_help="Show why requests of a pool go to which replica.")
def route() -> None:
    """Show why requests of a pool go to which replica: candidates, scores, weights, winner."""


@route.command()
@one_pool
@click.option("--prompt", metavar="TEXT", help="Where a request with this prompt would go now; nothing is sent.")
@click.option("--model", metavar="NAME", help="The model that is asked for [the pool's]; an adapter's name is one too.")
@click.option("--header", "headers", multiple=True, metavar="NAME=VALUE", help="Of the request; more than once.")
@click.option("--id", "name", metavar="ID", help="A decision that was made (x-lamplight-route of an answer).")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the decision.")
@team_option
def explain(
    target: Target,
    prompt: str | None,
    model: str | None,
    headers: tuple[str, ...],
    name: str | None,
    output: str | None,
    team: str | None,
) -> None:
    """Explain the newest decision, the one of --id, or the one that a --prompt would get."""
    client, path = _pool(target, team)
    if prompt is not None and name is not None:
        raise Failure("Give either --prompt or --id.", USAGE)
    if prompt is not None:
        body: dict[str, Any] = {"prompt": prompt, "headers": dict(map(_header, headers))}
        if model:
            body["model"] = model
        found = client.send("POST", f"{path}/routes/explain", body)
    else:
        if name is None:
            newest = client.get(f"{path}/routes", limit=1)["items"]
            if not newest:
                note("No request has been routed since the picker started. Try --prompt.")
                return
            name = newest[0]["id"]
        found = client.get(f"{path}/routes/{name}")
    if output == "json":
        print_json(found)
        return
    _show(found)


@route.command(name="list")
@one_pool
@click.option("--limit", type=click.IntRange(1, 200), default=20, show_default=True)
@click.option("--endpoint", metavar="POD", help="That this replica won or served.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def listed(target: Target, limit: int, endpoint: str | None, output: str | None, team: str | None) -> None:
    """List the newest decisions, newest first."""
    client, path = _pool(target, team)
    query = {"limit": limit, **({"endpoint": endpoint} if endpoint else {})}
    found = client.get(f"{path}/routes", **query)["items"]
    if output == "json":
        print_json(found)
        return
    print_table(
        ("ID", "AGO", "STATUS", "WHY"),
        [(row["id"], age(row["at"]), (row["outcome"] or {}).get("status", "-"), clean(row["reason"])) for row in found],
    )


def _pool(target: Target, team: str | None) -> tuple[Any, str]:
    client = connect(team)
    return client, find(client, target)[0]


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise Failure(f"--header {text!r} must be NAME=VALUE.", USAGE)
    return name, value


def _show(found: dict[str, Any]) -> None:
    click.echo(clean(found["reason"]))
    for profile in found["profiles"]:
        names = [score["plugin"] for row in profile["candidates"][:1] for score in row["scores"]]
        click.echo(f"\nProfile {profile['name']} ({profile['picker']}):")
        print_table(
            ("REPLICA", "SUM", *(f"{_plugin(name)}" for name in names), "PREFIX", "WAITING", "RUNNING", "KV", ""),
            [_row(row, names, profile["winner"]) for row in profile["candidates"]],
        )
    if outcome := found.get("outcome"):
        parts = [f"status {outcome['status']}"]
        if outcome["ttftSeconds"] is not None:
            parts.append(f"first token after {outcome['ttftSeconds'] * 1e3:.0f} ms")
        if outcome["cachedTokens"] is not None:
            parts.append(f"{outcome['cachedTokens']} prompt tokens from the cache")
        click.echo(f"\nWhat came of it: {', '.join(parts)}.")


def _row(row: dict[str, Any], names: list[str], winner: str) -> tuple[Any, ...]:
    load = row["load"] or {}
    scores = {score["plugin"]: f"{score['raw']:.2f} x {score['weight']:g}" for score in row["scores"]}
    matched = max((match["matchedTokens"] for match in row["prefix"].values()), default=0)
    mark = "winner" if row["endpoint"] == winner else f"out: {row['droppedBy']}" if row["droppedBy"] else ""
    return (
        row["endpoint"].partition("/")[2].rpartition(":")[0] or row["endpoint"],
        "-" if row["total"] is None else f"{row['total']:.2f}",
        *(scores.get(name, "-") for name in names),
        matched,
        load.get("waiting", "?"),
        load.get("running", "?"),
        "?" if not load else f"{load['kvUsage']:.0%}",
        mark,
    )


def _plugin(name: str) -> str:
    return name.removesuffix("-scorer").upper()
