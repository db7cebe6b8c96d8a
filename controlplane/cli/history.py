"""`lamp history`: which specs a pool has had, by whom and why, and what changed between two of them."""

from __future__ import annotations

from itertools import islice

import click

from controlplane.cli.diff import colour_option, full_option, wants_colour
from controlplane.cli.failures import USAGE, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, print_json, print_table
from controlplane.cli.review import of_revisions, show


@click.command()
@one_pool
@click.option("--diff", "pair", metavar="A..B", help="What changed from generation A to B; A alone: to the newest.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@full_option
@colour_option
@team_option
def history(
    target: Target,
    pair: str | None,
    limit: int,
    output: str | None,
    full: bool,
    color: str,
    team: str | None,
) -> None:
    """Show the accepted specs of a pool, newest first: when, who, why."""
    client = connect(team)
    path, document = find(client, target)
    if pair is not None:
        before, after = _pair(pair, document["metadata"]["generation"])
        found = client.get(f"{path}/revisions/{before}/diff/{after}")
        if output == "json":
            print_json(found)
        else:
            show(of_revisions(found, full=full), colour=wants_colour(color))
        return
    rows = list(islice(client.items(f"{path}/revisions", limit=min(limit, 100)), limit))
    if output == "json":
        print_json({"items": rows})
        return
    print_table(
        ("GENERATION", "AGE", "WHO", "RENDERED", "WHY"),
        [
            (
                f"{row['generation']}{' (now)' if row['generation'] == document['metadata']['generation'] else ''}",
                age(row["acceptedAt"]),
                row["author"],
                (row["renderedHash"] or "")[:12],
                row["reason"],
            )
            for row in rows
        ],
    )


def _pair(text: str, newest: int) -> tuple[int, int]:
    before, dots, after = text.partition("..")
    if not before.isdigit() or (dots and after and not after.isdigit()):
        raise Failure(f"{text!r} names no two generations; write 2..4, or 2 for all since 2.", USAGE)
    return int(before), int(after) if after else newest
