"""`lamp plan`: as `lamp diff`, and the plan is kept, so that exactly it can be applied later."""

from __future__ import annotations

import click

from controlplane.cli.diff import colour_option, full_option, planned, planned_pools, wants_colour
from controlplane.cli.failures import REFUSED, USAGE, Failure
from controlplane.cli.options import connect, team_option
from controlplane.cli.output import note, print_json
from controlplane.cli.review import Line, changes_anything, of_item, show


@click.command()
@click.argument("targets", nargs=-1, metavar="[pool/NAME...]")
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="May be repeated.")
@click.option("--reason", metavar="TEXT", help="Why, for those who look at the plan.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the plans as the server made them.")
@full_option
@colour_option
@team_option
def plan(
    targets: tuple[str, ...],
    files: tuple[str, ...],
    reason: str | None,
    output: str | None,
    full: bool,
    color: str,
    team: str | None,
) -> None:
    """Make plans of FILES, or of pools as they are declared, and keep them.

    A plan is applied with `lamp approve pool/NAME --plan NUMBER`, as long as nothing that it rests on has moved.
    """
    if bool(targets) == bool(files):
        raise Failure("Name files with -f, or pools (pool/chat); one of both.", USAGE)
    client = connect(team)
    items = (
        planned_pools(client, targets, keep=True, reason=reason)
        if targets
        else planned(client, files, keep=True, reason=reason)
    )
    if output == "json":
        print_json({"items": items})
    else:
        for i, item in enumerate(items):
            show([Line("")] if i else [], colour=False)
            show(of_item(item, full=full), colour=wants_colour(color))
    problems = [item["problem"] for item in items if item.get("problem")]
    if problems:
        raise Failure([str(p.get("detail") or p.get("title")) for p in problems], REFUSED)
    kept = [item for item in items if item.get("plan") and changes_anything(item) and not item["plan"]["restsOn"]]
    if output != "json":
        for item in kept:
            note(f"To apply it: lamp approve pool/{item['name']} --plan {item['plan']['id']}")
