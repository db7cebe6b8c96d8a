"""`lamp logs`: the newest lines of a pool's containers."""

from __future__ import annotations

import click

from controlplane.cli.failures import NOT_FOUND, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import clean, note


@click.command()
@one_pool
@click.option("--pod", metavar="POD", help="Which pod; default: the first that is not ready, else the first engine.")
@click.option("-c", "--container", metavar="NAME", help="Which container; default: the pod's first.")
@click.option("--tail", default=50, show_default=True, type=click.IntRange(1, 2000), help="How many lines.")
@click.option("-p", "--previous", is_flag=True, help="Of the run before the present one.")
@team_option
def logs(target: Target, pod: str | None, container: str | None, tail: int, previous: bool, team: str | None) -> None:
    """Show the newest log lines of one container of a pool."""
    client = connect(team)
    path, _ = find(client, target)
    if pod is None:
        pods = client.get(path + "/replicas")["items"]
        if not pods:
            raise Failure(f"{target} has no pods now.", NOT_FOUND)
        engines = [row for row in pods if row["variant"]] or pods
        pod = str(next((row["name"] for row in pods if not row["ready"]), engines[0]["name"]))
    asked = {"container": container, "tail": tail, "previous": "true" if previous else None}
    found = client.get(f"{path}/pods/{pod}/logs", **asked)
    note(f"{found['pod']} {found['container']}{' (previous run)' if previous else ''}:")
    for line in found["lines"]:
        click.echo(clean(line))
