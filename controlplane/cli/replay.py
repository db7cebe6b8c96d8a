"""`lamp replay`: make a stored decision again and compare, bit by bit."""

from __future__ import annotations

import sys

import click

from controlplane.cli.failures import NOT_FOUND, Failure
from controlplane.cli.options import connect, team_option
from controlplane.cli.output import clean, print_json


@click.command()
@click.argument("decision", type=click.IntRange(min=1))
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: both, and what differs.")
@team_option
def replay(decision: int, output: str | None, team: str | None) -> None:
    """Make DECISION again from what it was made from; exit code 1 when it does not come out the same."""
    client = connect(team)
    cursor = None
    # decisions are addressed by pool: the list of all tells whose it is
    for _ in range(200):
        page = client.get("/api/v1/decisions", team=client.team, limit=200, cursor=cursor)
        row = next((item for item in page["items"] if item["id"] == decision), None)
        cursor = page["next"]
        if row is not None or cursor is None or page["items"][-1]["id"] < decision:
            break
    if row is None:
        raise Failure(
            f"Team {client.team} has no decision {decision}: lamp explain pool NAME --moves lists some.", NOT_FOUND
        )
    path = f"/api/v1/teams/{row['team']}/pools/{row['pool']}/decisions/{decision}/replay"
    answer = client.get(path)
    if output == "json":
        print_json(answer)
    elif not answer.get("comparable", True):
        click.echo(f"Decision {decision} of pool {row['pool']} is not compared: {clean(answer['reason'])}.")
        click.echo(f"stored:   {clean(answer['stored']['sentence'])}")
    elif answer["equal"]:
        click.echo(f"Decision {decision} of pool {row['pool']} comes out the same, to the last bit.")
        click.echo(clean(answer["replayed"]["sentence"]))
    else:
        click.echo(f"Decision {decision} of pool {row['pool']} comes out otherwise in {', '.join(answer['differs'])}.")
        click.echo(f"stored:   {clean(answer['stored']['sentence'])}")
        click.echo(f"replayed: {clean(answer['replayed']['sentence'])}")
    if not answer["equal"]:
        sys.exit(1)
