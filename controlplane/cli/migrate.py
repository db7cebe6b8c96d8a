"""`lamp migrate`: a pool for another llm-d release, as a plan with its diff."""

from __future__ import annotations

import json

import click

from controlplane.cli.diff import colour_option, wants_colour
from controlplane.cli.failures import REFUSED, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import note, print_json
from controlplane.cli.review import changes_anything, of_item, show

# a plan asks a cluster about every object
_TIMEOUT = 120.0


@click.command()
@one_pool
@click.option("--to", "to", type=click.Choice(["current", "0.5"]), required=True, help="The llm-d release.")
@click.option("--keep", is_flag=True, help="Keep the plan, so that it can be applied.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the proposal and its plan.")
@colour_option
@team_option
def migrate(target: Target, to: str, keep: bool, output: str | None, color: str, team: str | None) -> None:
    """Show what becomes of a pool when it is rendered for another llm-d release.

    Nothing is changed. With --keep the plan is stored; `lamp approve pool/NAME --plan NUMBER` applies it.
    """
    client = connect(team)
    path, _ = find(client, target)
    proposal = client.request("POST", path + "/migration", body=json.dumps({"to": to}).encode()).json()
    if proposal["blocked"]:
        raise Failure(
            [f"Mend this first: {sentence}" for sentence in proposal["blocked"]],
            REFUSED,
        )
    document = proposal["document"]
    plan = client.request(
        "POST",
        path + "/plan",
        body=json.dumps(document).encode(),
        query={"dry_run": None if keep else "true", "reason": f"to llm-d {to}"},
        timeout=_TIMEOUT,
    ).json()
    item = {
        "kind": "Pool",
        "team": document["metadata"]["team"],
        "name": document["metadata"]["name"],
        "action": "updated",
        "spec": plan["spec"],
        "because": None,
        "plan": plan,
    }
    if output == "json":
        print_json({"proposal": proposal, "plan": plan})
        return
    show(of_item(item), colour=wants_colour(color))
    for sentence in proposal["notes"]:
        note(f"Note: {sentence}")
    if keep and plan.get("id") and changes_anything(item):
        note(f"To apply it: lamp approve pool/{item['name']} --plan {plan['id']}")
