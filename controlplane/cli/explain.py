"""`lamp explain`: why a pool has the replicas that it has."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, clean, note, print_json, print_table


@click.command()
@one_pool
@click.option("--decision", type=click.IntRange(min=1), metavar="ID", help="This one instead of the newest.")
@click.option("--moves", is_flag=True, help="Also the last decisions that moved something.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the decision.")
@team_option
def explain(target: Target, decision: int | None, moves: bool, output: str | None, team: str | None) -> None:
    """Show why: the sentence, what it rests on, what each rule wanted, what held it back, and what else would be."""
    client = connect(team)
    path, document = find(client, target)
    standing = client.get(path + "/autoscaling")
    if decision is None:
        newest = standing.get("latest")
        if newest is None:
            note(_nothing(document, standing))
            return
        decision = int(newest["id"])
    found = client.get(f"{path}/decisions/{decision}")
    if output == "json":
        print_json(found)
        return
    _explain(found, standing, document)
    if moves:
        rows = client.get(f"{path}/decisions", verb="moves", limit=10)["items"]
        click.echo("\nLast moves:")
        print_table(
            ("ID", "AGO", "WHAT", "WHY"), [(r["id"], age(r["firstAt"]), r["verb"], clean(r["sentence"])) for r in rows]
        )


def _nothing(document: dict[str, Any], standing: dict[str, Any]) -> str:
    name = document["metadata"]["name"]
    if standing["mode"] in ("off", "external"):
        return f"Nothing was decided for pool {name}: {standing['owner']}"
    return f"Nothing has been decided for pool {name} yet: the first decision follows the first signals, within 30 s."


def _writer(document: dict[str, Any], standing: dict[str, Any]) -> str:
    """Who writes the replicas: as it was seen in the cluster where it is not as the mode has it."""
    conditions = (document.get("status") or {}).get("conditions") or []
    seen = next((c for c in conditions if c["type"] == "ReplicasOwner" and c["status"] == "False"), None)
    return str(seen["message"]) + "." if seen is not None else str(standing["owner"])


def _explain(found: dict[str, Any], standing: dict[str, Any], document: dict[str, Any]) -> None:
    click.echo(clean(found["sentence"]))
    run = f", {found['count']} times until {age(found['lastAt'])} ago" if found["count"] > 1 else ""
    click.echo(f"\nDecision {found['id']}, {age(found['firstAt'])} ago{run}; mode {found['mode']}.", nl=False)
    click.echo(f" {clean(found['actuation'])}" if found.get("actuation") else "")
    click.echo(clean(_writer(document, standing)))
    cost = found["costPerHour"]
    click.echo(f"Cost: {cost['amount']:.2f} {cost['currency']}/h.", nl=False)
    if attained := found.get("attainment"):
        click.echo(f" Within all objectives lately: {attained[0]:.1%} to {attained[1]:.1%} of requests.", nl=False)
    click.echo("")
    click.echo("\nWhat each rule wants:")
    print_table(
        ("RULE", "REPLICAS", "WHY"),
        [(_role(p, "rule"), p["replicas"], clean(p["reason"])) for p in found["proposals"]],
    )
    if found["clamps"]:
        click.echo("\nWhat held it back:")
        print_table(
            ("RULE", "VARIANT", "FROM", "TO", "WHY"),
            [(c["rule"], c["variant"] or "-", c["before"], c["after"], clean(c["reason"])) for c in found["clamps"]],
        )
    if found["counterfactuals"]:
        click.echo("\nWhat the model expects:")
        print_table(
            ("REPLICAS", "WITHIN SLO", "TTFT p95", "TPOT p95", "COST/H"),
            [
                (v["replicas"], f"{v['attainment']:.1%}", _ms(v["ttftP95"]), _ms(v["tpotP95"]), f"{v['cost']:.2f}")
                for v in found["counterfactuals"]
            ],
        )
    click.echo(f"\nWhat it rests on, as of {age(found['at'])} ago:")
    print_table(
        ("INPUT", "VARIANT", "VALUE", "UNIT", "AGE"),
        [(i["name"], i["variant"] or "-", _value(i), i["unit"], _age(i)) for i in found["inputs"]],
    )


def _role(proposal: dict[str, Any], key: str) -> str:
    role = proposal.get("role", "both")
    return str(proposal[key]) if role == "both" else f"{proposal[key]} ({role})"


def _value(given: dict[str, Any]) -> str:
    if given["state"] == "known":
        value = given["value"]
        return "less than 0.001" if 0 < value < 0.001 else f"{value:.4g}"
    reason = clean(given.get("reason") or "")
    return str(given["state"]).replace("_", " ") + (f": {reason}" if reason else "")


def _age(given: dict[str, Any]) -> str:
    return "-" if given.get("age") is None else f"{given['age']:.0f} s"


def _ms(seconds: float | None) -> str:
    if seconds is None:
        return "overload"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
