"""`lamp export`: the declarations of a team, or of all, as one bundle."""

from __future__ import annotations

import click

from controlplane.cli.options import connect, team_option


@click.command()
@click.option("-A", "--all-teams", is_flag=True, help="Of all teams that you may see.")
@team_option
def export(all_teams: bool, team: str | None) -> None:
    """Print all declarations of a team as YAML that `lamp apply -f -` takes, here or in another installation.

    They hold no status, no history and no secrets.
    """
    client = connect(team)
    query = {"format": "yaml", "team": None if all_teams else client.team}
    click.echo(client.request("GET", "/api/v1/export", query=query).text, nl=False)
