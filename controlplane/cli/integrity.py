"""`lamp integrity`: whether charts, SLOs, autoscaler and offload of a pool get the numbers that they need."""

from __future__ import annotations

import click

from controlplane.cli.failures import REFUSED, USAGE, Failure
from controlplane.cli.kinds import parse_targets
from controlplane.cli.options import connect, find, team_option
from controlplane.cli.output import age, clean, print_json, print_table


@click.command()
@click.argument("targets", nargs=-1, metavar="pool NAME | pool/NAME")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def integrity(targets: tuple[str, ...], output: str | None, team: str | None) -> None:
    """Show whether every loop that reads a pool is fed, and the mend where one is not.

    Exit code 1 when a loop is starved.
    """
    wanted = parse_targets(targets)
    if len(wanted) != 1 or wanted[0].kind.kind != "Pool":
        raise Failure("One pool is looked at at a time: `lamp integrity pool chat`.", USAGE)
    client = connect(team)
    path, _ = find(client, wanted[0])
    report = client.get(path + "/integrity")
    if output == "json":
        print_json(report)
    elif report["checkedAt"] is None:
        click.echo("The pool has not been probed yet; it is within a minute.")
    else:
        click.echo(f"{wanted[0]} is {report['state']} (probed {age(report['checkedAt'])} ago)")
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
