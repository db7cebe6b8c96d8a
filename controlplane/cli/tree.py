"""`lamp tree`: a pool and everything that follows from it, down to containers."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.failures import USAGE, Failure
from controlplane.cli.kinds import parse_targets
from controlplane.cli.options import connect, find, team_option
from controlplane.cli.output import age, clean, print_json, print_table

_MARKS = {"Healthy": "✔", "Progressing": "◐", "Degraded": "✖", "Missing": "?", "Suspended": "‖"}


@click.command()
@click.argument("target", nargs=-1, metavar="pool NAME")
@click.option("--events/--no-events", default=True, help="What the cluster reported about the objects.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def tree(target: tuple[str, ...], events: bool, output: str | None, team: str | None) -> None:
    """Show the object tree of a pool: Deployments, ReplicaSets, pods, containers, and the cluster's events."""
    wanted = parse_targets(target)
    if len(wanted) != 1 or wanted[0].kind.kind != "Pool":
        raise Failure("One pool at a time: `lamp tree pool chat`.", USAGE)
    client = connect(team)
    path, _ = find(client, wanted[0])
    found = client.get(path + "/tree")
    if output == "json":
        print_json(found)
        return
    print_table(("OBJECT", "HEALTH", "SYNC", "AGE", "MESSAGE"), [_row(node) for node in found["items"]])
    if found["truncated"]:
        click.echo("… there is more than is shown")
    if events and found["events"]:
        click.echo("\nEvents:")
        rows = [
            (age(e["lastAt"]), e["type"], e["reason"], e["about"], e["count"], e["message"])
            for e in reversed(found["events"][:20])
        ]
        print_table(("LAST SEEN", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"), rows)


def _row(node: dict[str, Any]) -> tuple[object, ...]:
    # a table cell loses its leading blanks: lines keep the depth
    indent = "│ " * (node["depth"] - 1) + "└ " if node["depth"] else ""
    mark = _MARKS.get(node["health"] or "", "")
    message = ": ".join(clean(part) for part in (node["reason"], node["message"]) if part)
    name = f"{indent}{node['kind']} {clean(node['name'])}"
    return (name, f"{mark} {node['health'] or ''}", node["sync"], age(node["createdAt"]), message[:120])
