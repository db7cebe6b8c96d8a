"""`lamp tree`: a pool and everything that follows from it, down to containers."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, clean, print_json, print_table

_MARKS = {"Healthy": "✔", "Progressing": "◐", "Degraded": "✖", "Missing": "?", "Suspended": "‖"}


@click.command()
@one_pool
@click.option("--events/--no-events", default=True, help="What the cluster reported about the objects.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def tree(target: Target, events: bool, output: str | None, team: str | None) -> None:
    """Show the object tree of a pool: Deployments, ReplicaSets, pods, containers, and the cluster's events."""
    client = connect(team)
    path, _ = find(client, target)
    found = client.get(path + "/tree")
    if output == "json":
        print_json(found)
        return
    nodes = found["items"]
    rows = [_row(node, stem) for node, stem in zip(nodes, _stems([node["depth"] for node in nodes]), strict=True)]
    print_table(("OBJECT", "HEALTH", "SYNC", "AGE", "MESSAGE"), rows)
    if found["truncated"]:
        click.echo("… there is more than is shown")
    if events and found["events"]:
        click.echo("\nEvents:")
        rows = [
            (age(e["lastAt"]), e["type"], e["reason"], e["about"], e["count"], e["message"])
            for e in reversed(found["events"][:20])
        ]
        print_table(("LAST SEEN", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"), rows)


def _stems(depths: list[int]) -> list[str]:
    """What stands before each name: a line goes on where a sibling follows, and turns at the last of them."""
    goes_on: set[int] = set()
    stems = []
    for depth in reversed(depths):
        above = "".join("│ " if level in goes_on else "  " for level in range(1, depth))
        stems.append(above + ("├ " if depth in goes_on else "└ ") if depth else "")
        goes_on = {level for level in goes_on if level < depth} | {depth}
    return stems[::-1]


def _row(node: dict[str, Any], stem: str) -> tuple[object, ...]:
    mark = _MARKS.get(node["health"] or "", "")
    message = ": ".join(clean(part) for part in (node["reason"], node["message"]) if part)
    name = f"{stem}{node['kind']} {clean(node['name'])}"
    return (name, f"{mark} {node['health'] or ''}".strip(), node["sync"], age(node["createdAt"]), message[:120])
