"""`lamp diff`: what would `lamp apply` change, in the declarations and in the clusters? Nothing is changed."""

from __future__ import annotations

import sys
from typing import Any

import click

from controlplane.cli.apply import explain
from controlplane.cli.bundle import read_bundle
from controlplane.cli.client import Client
from controlplane.cli.failures import REFUSED, USAGE, Failure, Problem
from controlplane.cli.kinds import parse_targets
from controlplane.cli.options import connect, find, team_option
from controlplane.cli.output import print_json
from controlplane.cli.review import Line, changes_anything, of_item, show

__all__ = ["colour_option", "diff", "full_option", "planned", "planned_pools", "wants_colour"]

CHANGES = 1
# a plan asks a cluster about every object
_TIMEOUT = 120.0

colour_option = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="auto: on a terminal.",
)

full_option = click.option("--full", is_flag=True, help="Long texts and new objects as a whole.")


@click.command()
@click.argument("targets", nargs=-1, metavar="[pool/NAME...]")
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="May be repeated.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the plans as the server made them.")
@full_option
@colour_option
@team_option
def diff(
    targets: tuple[str, ...],
    files: tuple[str, ...],
    output: str | None,
    full: bool,
    color: str,
    team: str | None,
) -> None:
    """Show what applying FILES would change, as a code review: `-` was, `+` becomes.

    With pool/NAME instead of files: what the present declaration would still change in its cluster. The clusters are
    asked by a dry run; nothing is written there, and no plan is kept (`lamp plan` keeps one).

    \b
    Exit code: 0 nothing changes, 1 something does, more than 1: it could not be told
    (2 usage or refused, 3 not found, 4 conflict or stale, 5 unreachable).
    """
    try:
        items = _items(targets, files, team)
    except Failure as failure:
        if failure.exit_code == REFUSED:
            raise Failure(failure.message, USAGE) from None
        raise
    if output == "json":
        print_json({"items": items})
    else:
        changed = [item for item in items if changes_anything(item) or item.get("problem")]
        for i, item in enumerate(changed):
            show([Line("")] if i else [], colour=False)
            show(of_item(item, full=full), colour=wants_colour(color))
    problems = [item["problem"] for item in items if item.get("problem")]
    if problems:
        raise Failure([str(p.get("detail") or p.get("title")) for p in problems], USAGE)
    sys.exit(CHANGES if any(changes_anything(item) for item in items) else 0)


def wants_colour(choice: str) -> bool:
    """Whether to colour what goes to stdout."""
    return choice == "always" or (choice == "auto" and sys.stdout.isatty())


def _items(targets: tuple[str, ...], files: tuple[str, ...], team: str | None) -> list[dict[str, Any]]:
    if bool(targets) == bool(files):
        raise Failure("Name files with -f, or pools (pool/chat); one of both.", USAGE)
    client = connect(team)
    return planned_pools(client, targets, keep=False) if targets else planned(client, files, keep=False)


def planned(client: Client, files: tuple[str, ...], *, keep: bool, reason: str | None = None) -> list[dict[str, Any]]:
    """Plan the documents of some files. Raises Failure, each sentence placed in its file."""
    bundle = read_bundle(files)
    if not bundle.text.strip():
        raise Failure(
            f"There is no document in {', '.join('stdin' if file == '-' else file for file in files)}.", USAGE
        )
    try:
        answer = client.request(
            "POST",
            "/api/v1/plan",
            body=bundle.text.encode(),
            content_type="application/yaml",
            query={"team": client.team, "dry_run": None if keep else "true", "reason": reason},
            timeout=_TIMEOUT,
        ).json()
    except Problem as problem:
        raise explain(problem, bundle) from None
    return list(answer["items"])


def planned_pools(
    client: Client, targets: tuple[str, ...], *, keep: bool, reason: str | None = None
) -> list[dict[str, Any]]:
    """Plan pools as they are declared, in the shape of a planned bundle. Raises Failure."""
    items = []
    for target in parse_targets(targets):
        if target.kind.kind != "Pool":
            raise Failure(f"Only pools are planned, and {target} is none: name the pools that it is for.", USAGE)
        path, document = find(client, target)
        query = {"dry_run": None if keep else "true", "reason": reason}
        plan = client.request("POST", path + "/plan", query=query, timeout=_TIMEOUT).json()
        items.append(
            {
                "kind": "Pool",
                "team": document["metadata"]["team"],
                "name": target.name,
                "action": "unchanged",
                "spec": plan["spec"],
                "because": None,
                "plan": plan,
            }
        )
    return items
