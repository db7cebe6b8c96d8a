"""`lamp approve`: apply a stored plan, the one that waits for approval or the one that is named."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.client import Client
from controlplane.cli.failures import NOT_FOUND, Failure
from controlplane.cli.kinds import SHARED_TEAM, Target
from controlplane.cli.options import collection, connect, one_pool, team_option
from controlplane.cli.output import print_json


@click.command()
@one_pool
@click.option(
    "--plan", "number", type=click.IntRange(min=1), metavar="NUMBER", help="Which (else what waits for approval)."
)
@click.option(
    "--consent", multiple=True, type=click.Choice(["recreate"]), help="Say yes to what the plan needs consent for."
)
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the plan after it.")
@team_option
def approve(
    target: Target,
    number: int | None,
    consent: tuple[str, ...],
    reason: str | None,
    output: str | None,
    team: str | None,
) -> None:
    """Apply exactly what a plan says, as long as nothing that it was made on has moved.

    Exit code 4 when it has; stderr says what.
    """
    client = connect(team)
    path, plan = _find(client, target.name, number)
    answer = client.send(
        "POST", f"{path}/plans/{plan['id']}/apply", {"consent": list(consent)}, query={"reason": reason}, timeout=60
    )
    if output == "json":
        print_json(answer)
    else:
        click.echo(f"{target} plan {answer['id']} applied as generation {answer['generation']}")


def _find(client: Client, name: str, number: int | None) -> tuple[str, dict[str, Any]]:
    """The plan, and the path of its pool, which may be no more than proposed."""
    for team in dict.fromkeys((client.team, SHARED_TEAM)):
        path = f"{collection(team, 'pools')}/{name}"
        try:
            if number is not None:
                return path, client.get(f"{path}/plans/{number}")
            rows = client.get(f"{path}/plans", state="open", limit=100)["items"]
            held = [row for row in rows if row["origin"] == "approval"]
        except Failure as failure:
            if failure.exit_code != NOT_FOUND:
                raise
            continue
        if held:
            return path, held[0]
    if number is None:
        raise Failure(
            f"Nothing of pool {name} in team {client.team} waits for approval; name a plan with --plan.", NOT_FOUND
        )
    raise Failure(f"There is no plan {number} of pool {name} in team {client.team}: `lamp plan` makes one.", NOT_FOUND)
