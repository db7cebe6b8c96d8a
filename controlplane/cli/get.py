"""`lamp get`: tables, and documents that apply takes back."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.client import Client
from controlplane.cli.failures import Problem
from controlplane.cli.kinds import SHARED_TEAM, Kind, Target, find_kind
from controlplane.cli.options import collection, connect, find, team_option
from controlplane.cli.output import age, note, print_json, print_table


@click.command()
@click.argument("kind")
@click.argument("names", nargs=-1)
@click.option("-o", "output", type=click.Choice(["table", "wide", "yaml", "json"]), default="table", show_default=True)
@click.option("-A", "--all-teams", is_flag=True, help="Of all teams that you may see.")
@team_option
def get(kind: str, names: tuple[str, ...], output: str, all_teams: bool, team: str | None) -> None:
    """List the objects of a KIND (pool, model, slo, cluster, endpoint, webhook), or show those with these NAMES.

    `-o yaml` prints declarations that `lamp apply -f -` takes back; `-o json` prints them with their status.
    """
    word, slash, first = kind.partition("/")
    found_kind = find_kind(word)
    wanted = ((first,) if slash else ()) + names
    client = connect(team)
    if wanted:
        found = [find(client, Target(found_kind, name)) for name in wanted]
        if output == "yaml":
            _print_declarations([client.request("GET", path, query={"format": "yaml"}).text for path, _ in found])
            return
        objects = [document for _, document in found]
    else:
        objects = _list(client, found_kind, all_teams=all_teams)
        if output == "yaml":
            paths = [f"{collection(o['metadata']['team'], found_kind.plural)}/{o['metadata']['name']}" for o in objects]
            _print_declarations([client.request("GET", path, query={"format": "yaml"}).text for path in paths])
            return
    if output == "json":
        print_json(objects[0] if len(wanted) == 1 else {"items": objects})
        return
    if not objects:
        note(f"No {found_kind.plural} in " + ("any team that you may see." if all_teams else f"team {client.team}."))
        return
    columns = [column for column in found_kind.columns if output == "wide" or not column.wide]
    print_table(
        ["NAME", "TEAM", *(column.title for column in columns), "AGE"],
        [
            [
                o["metadata"]["name"],
                o["metadata"]["team"],
                *(c.value(o) for c in columns),
                age(o["metadata"].get("createdAt")),
            ]
            for o in objects
        ],
    )


def _list(client: Client, kind: Kind, *, all_teams: bool) -> list[dict[str, Any]]:
    """Objects of all teams, or those that names mean in one team: its own and the shared ones it does not hide."""
    if all_teams:
        return list(client.items(f"/api/v1/{kind.plural}"))
    own = list(client.items(collection(client.team, kind.plural)))
    if client.team == SHARED_TEAM:
        return own
    names = {o["metadata"]["name"] for o in own}
    try:
        shared = list(client.items(collection(SHARED_TEAM, kind.plural)))
    except Problem as problem:
        if problem.status not in (403, 404):
            raise
        shared = []
    return own + [o for o in shared if o["metadata"]["name"] not in names]


def _print_declarations(texts: list[str]) -> None:
    click.echo("---\n".join(text if text.endswith("\n") else text + "\n" for text in texts), nl=False)
