"""`lamp rollback`: declare an old spec of a pool anew. History only grows: it is a new generation."""

from __future__ import annotations

import click

from controlplane.cli.failures import CONFLICT, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import print_json


@click.command()
@one_pool
@click.option(
    "--to", "generation", type=click.IntRange(min=1), metavar="N", help="Which generation (else the one before)."
)
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the pool after it.")
@team_option
def rollback(
    target: Target,
    generation: int | None,
    dry_run: bool,
    reason: str | None,
    output: str | None,
    team: str | None,
) -> None:
    """Go back to an earlier spec of a pool: `lamp history pool/chat` lists them.

    Exit code 4 when somebody changed the pool meanwhile, or when it is as it was then already.
    """
    client = connect(team)
    path, document = find(client, target)
    metadata = document["metadata"]
    if generation is None:
        rows = client.get(f"{path}/revisions", limit=2)["items"]
        if len(rows) < 2:
            raise Failure(f"{target} has had no other spec yet.", CONFLICT)
        generation = int(rows[1]["generation"])
    answer = client.request(
        "POST",
        f"{path}/revisions/{generation}/rollback",
        headers={"If-Match": f'"{metadata["uid"]}:{metadata["version"]}"'},
        query={"dry_run": "true" if dry_run else None, "reason": reason},
    ).json()
    if output == "json":
        print_json(answer)
        return
    became = answer["metadata"]["generation"]
    verb = "would be rolled back" if dry_run else "rolled back"
    click.echo(f"{target} {verb} to generation {generation}, as generation {became}")
