"""`lamp scale`: set the replica target of a pool's variant. A target is no part of the declaration."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.failures import USAGE, Failure
from controlplane.cli.kinds import parse_targets
from controlplane.cli.options import connect, find, team_option
from controlplane.cli.output import print_json


@click.command()
@click.argument("target", nargs=-1, metavar="pool/NAME")
@click.option(
    "--replicas", type=click.IntRange(min=0), required=True, help="How many; within the variant's min and max."
)
@click.option("--variant", metavar="NAME", help="Which variant; may be left out when there is only one.")
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the targets after it.")
@team_option
def scale(
    target: tuple[str, ...],
    replicas: int,
    variant: str | None,
    reason: str | None,
    output: str | None,
    team: str | None,
) -> None:
    """Set the number of replicas that a pool's variant should have."""
    wanted = parse_targets(target)
    if len(wanted) != 1 or wanted[0].kind.kind != "Pool":
        raise Failure("One pool is scaled at a time: `lamp scale pool/chat --replicas 3`.", USAGE)
    client = connect(team)
    path, document = find(client, wanted[0])
    names = [v["name"] for v in document["spec"]["variants"]]
    if variant is None:
        if len(names) != 1:
            raise Failure(f"{wanted[0]} has the variants {', '.join(names)}: say which with --variant.", USAGE)
        variant = names[0]
    elif variant not in names:
        raise Failure(f"{wanted[0]} has no variant {variant!r}; it has {', '.join(names)}.", USAGE)
    body = {"items": [{"variant": variant, "desired": replicas, "reason": reason or "lamp scale"}]}
    answer = client.send("PUT", path + "/targets", body)
    if output == "json":
        print_json(answer)
        return
    reached = _desired(answer, variant)
    if reached is not None and reached != replicas:
        click.echo(f"{wanted[0]} {variant} scaled to {reached}: {replicas} lies outside of the variant's min and max")
    else:
        click.echo(f"{wanted[0]} {variant} scaled to {replicas}")


def _desired(answer: Any, variant: str) -> int | None:
    items = answer.get("items", []) if isinstance(answer, dict) else []
    return next((item.get("desired") for item in items if item.get("variant") == variant), None)
