"""`lamp events`: the timeline."""

from __future__ import annotations

import time
from typing import Any

import click

from controlplane.cli.failures import USAGE, Failure, Unreachable
from controlplane.cli.kinds import parse_targets
from controlplane.cli.options import connect, team_option
from controlplane.cli.output import age, clean, note, print_json, print_table

_TITLES = ("LAST SEEN", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE")


@click.command()
@click.argument("targets", nargs=-1, metavar="[KIND NAME | KIND/NAME]")
@click.option("-w", "--watch", is_flag=True, help="Go on as things happen; Ctrl-C ends it.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 500))
@click.option("-A", "--all-teams", is_flag=True, help="Of all teams that you may see.")
@click.option("-o", "output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@team_option
def events(targets: tuple[str, ...], watch: bool, limit: int, all_teams: bool, output: str, team: str | None) -> None:
    """Show what happened to an object, or in a team: newest last."""
    client = connect(team)
    about: dict[str, Any] = {"team": None if all_teams else client.team, "limit": limit}
    if targets:
        wanted = parse_targets(targets)
        if len(wanted) != 1:
            raise Failure("Events of one object at a time, or of all: KIND NAME, or KIND/NAME.", USAGE)
        about |= {"kind": wanted[0].kind.kind, "name": wanted[0].name}
    found = list(reversed(client.get("/api/v1/events", **about)["items"]))
    if output == "json" and not watch:
        print_json({"items": found})
        return
    if output == "table":
        if found or watch:
            print_table(_TITLES, [_row(event) for event in found])
        else:
            note("No events.")
    else:
        for event in found:
            print_json(event)
    seen = {_identity(event) for event in found}
    while watch:
        time.sleep(2)
        try:
            found = list(reversed(client.get("/api/v1/events", **about)["items"]))
        except Unreachable as failure:
            note(failure.message)
            continue
        for event in found:
            if _identity(event) not in seen:
                if output == "json":
                    print_json(event)
                else:
                    click.echo("   ".join(clean(value) for value in _row(event)))
        seen = {_identity(event) for event in found}


def _row(event: dict[str, Any]) -> tuple[object, ...]:
    return (
        age(event.get("lastSeen")),
        event.get("type"),
        event.get("reason"),
        f"{str(event.get('kind', '')).lower()}/{event.get('name')}",
        event.get("count", 1),
        event.get("message"),
    )


def _identity(event: dict[str, Any]) -> tuple[object, ...]:
    return (event.get("id"), event.get("count"))
