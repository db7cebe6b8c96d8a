"""`lamp integrity`: whether charts, SLOs, autoscaler and offload of a pool get the numbers that they need."""

from __future__ import annotations

import click

from controlplane.cli.failures import REFUSED
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, clean, print_json, print_table


@click.command()
@one_pool
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def integrity(target: Target, output: str | None, team: str | None) -> None:
    """Show whether every loop that reads a pool is fed, and the mend where one is not.

    Exit code 1 when a loop is starved.
    """
    client = connect(team)
    path, _ = find(client, target)
    report = client.get(path + "/integrity")
    if output == "json":
        print_json(report)
    elif report["checkedAt"] is None:
        click.echo("The pool has not been probed yet; it is within a minute.")
    else:
        click.echo(f"{target} is {report['state']} (probed {age(report['checkedAt'])} ago)")
        print_table(("LOOP", "STATE"), [(one["loop"], one["state"]) for one in report["loops"]])
        for finding in report["findings"]:
            click.echo(f"\n{finding['reason']} ({', '.join(finding['loops'])}): {clean(finding['message'])}")
        if report["targets"]:
            click.echo()
            rows = [
                (t["name"], t["kind"], _yes(t["answers"]), ", ".join(t["models"]), _yes(t["busy"]))
                for t in report["targets"]
            ]
            print_table(("TARGET", "KIND", "ANSWERS", "MODEL", "BUSY"), rows)
    if report["state"] == "starved":
        click.get_current_context().exit(REFUSED)


def _yes(value: bool) -> str:
    return "yes" if value else "no"
