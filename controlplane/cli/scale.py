"""`lamp scale`: set the replica target of a pool's variant. A target is no part of the declaration."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.failures import USAGE, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import note, print_json


@click.command()
@one_pool
@click.option(
    "--replicas", type=click.IntRange(min=0), required=True, help="How many; within the variant's min and max."
)
@click.option("--variant", metavar="NAME", help="Which variant; may be left out when there is only one.")
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the targets after it.")
@team_option
def scale(
    target: Target,
    replicas: int,
    variant: str | None,
    reason: str | None,
    output: str | None,
    team: str | None,
) -> None:
    """Set the number of replicas that a pool's variant should have."""
    client = connect(team)
    path, document = find(client, target)
    names = [v["name"] for v in document["spec"]["variants"]]
    if variant is None:
        if len(names) != 1:
            raise Failure(f"{target} has the variants {', '.join(names)}: say which with --variant.", USAGE)
        variant = names[0]
    elif variant not in names:
        raise Failure(f"{target} has no variant {variant!r}; it has {', '.join(names)}.", USAGE)
    body = {"items": [{"variant": variant, "desired": replicas, "reason": reason or "lamp scale"}]}
    answer = client.send("PUT", path + "/targets", body)
    if output == "json":
        print_json(answer)
        return
    if (document["spec"].get("autoscaling") or {}).get("mode") == "active":
        note("autoscaling.mode is active: the autoscaler's next decision, within seconds, may take this back.")
    if (writer := _other_writer(document)) is not None:
        note(f"{writer}. The number is kept and holds once nobody else writes them.")
    reached = _desired(answer, variant)
    if reached is not None and reached != replicas:
        click.echo(f"{target} {variant} scaled to {reached}: {replicas} lies outside of the variant's min and max")
    else:
        click.echo(f"{target} {variant} scaled to {replicas}")


def _desired(answer: Any, variant: str) -> int | None:
    items = answer.get("items", []) if isinstance(answer, dict) else []
    return next((item.get("desired") for item in items if item.get("variant") == variant), None)


def _other_writer(document: dict[str, Any]) -> str | None:
    """What the pool says of a scaler in its cluster that scaling does not take the replicas back from."""
    conditions = (document.get("status") or {}).get("conditions") or []
    seen = next((c for c in conditions if c["type"] == "ReplicasOwner" and c["status"] == "False"), None)
    return None if seen is None or seen["reason"] == "ScaledByHand" else str(seen["message"])
