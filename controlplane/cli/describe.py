"""`lamp describe`: everything a person asks about one object, on one page."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.client import Client
from controlplane.cli.failures import Problem
from controlplane.cli.kinds import parse_targets, percent
from controlplane.cli.options import connect, find, team_option
from controlplane.cli.output import age, age_until, clean, print_table, to_the_second, to_yaml


@click.command()
@click.argument("targets", nargs=-1, metavar="KIND NAME | KIND/NAME")
@team_option
def describe(targets: tuple[str, ...], team: str | None) -> None:
    """Show one object in full: status, conditions, replicas, events, and its declaration."""
    client = connect(team)
    for index, target in enumerate(parse_targets(targets)):
        if index:
            click.echo("\n")
        path, document = find(client, target)
        _describe(client, path, document)


def _describe(client: Client, path: str, document: dict[str, Any]) -> None:
    metadata, status = document["metadata"], document.get("status") or {}
    gone = metadata.get("deletionRequestedAt")
    facts = [
        ("Name", metadata["name"]),
        ("Kind", document["kind"]),
        ("Team", metadata["team"]),
        ("Created", f"{to_the_second(metadata.get('createdAt'))} ({age(metadata.get('createdAt'))} ago)"),
        ("Generation", metadata.get("generation")),
        ("Labels", ", ".join(f"{k}={v}" for k, v in (metadata.get("labels") or {}).items())),
        ("Deletion", gone and f"requested at {to_the_second(gone)}"),
        ("Sync", status.get("sync")),
        ("Health", status.get("health")),
        ("Endpoint", status.get("endpoint")),
    ]
    replicas = status.get("replicas") or {}
    if replicas:
        facts.append(("Replicas", ", ".join(f"{count} {state}" for state, count in replicas.items())))
    for title, value in facts:
        if value not in (None, ""):
            click.echo(f"{title + ':':<12}{clean(value)}")
    _conditions(status.get("conditions") or [], metadata.get("generation"))
    if document["kind"] == "Pool":
        _replicas(client, path)
    if document["kind"] == "SLO":
        _objectives(status.get("objectives") or [])
    _events(client, document)
    click.echo("\nSpec:")
    for line in to_yaml(document["spec"]).splitlines():
        click.echo("  " + line)


_LONG = 40


def _conditions(conditions: list[dict[str, Any]], generation: int | None) -> None:
    if not conditions:
        return
    click.echo("\nConditions:")
    rows = []
    said: dict[str, str] = {}
    for condition in conditions:
        observed = condition.get("observedGeneration")
        message = str(condition.get("message") or "")
        # the parts of what went wrong say it in the same words: those are read once
        first = said.setdefault(message, str(condition.get("type")))
        if len(message) > _LONG and first != condition.get("type"):
            message = f"as {first} says"
        behind = f" (of generation {observed}, now {generation})" if observed not in (None, generation) else ""
        since = age(condition.get("lastTransitionTime"))
        rows.append(
            (
                condition.get("type"),
                condition.get("status"),
                condition.get("reason"),
                since,
                f"{message}{behind}",
            )
        )
    print_table(("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE"), rows)


def _replicas(client: Client, path: str) -> None:
    try:
        replicas = client.get(path + "/replicas")["items"]
    except Problem as problem:
        click.echo(f"\nReplicas: {clean(problem.message)}")
        return
    if not replicas:
        return
    click.echo("\nReplicas:")
    rows = [
        (
            r.get("name"),
            r.get("variant"),
            r.get("phase"),
            "yes" if r.get("ready") else "no",
            r.get("restarts"),
            r.get("node"),
            age(r.get("createdAt")) or r.get("age"),
            r.get("reason"),
        )
        for r in replicas
    ]
    print_table(("POD", "VARIANT", "PHASE", "READY", "RESTARTS", "NODE", "AGE", "REASON"), rows)


def _objectives(objectives: list[dict[str, Any]]) -> None:
    if not objectives:
        return
    click.echo("\nObjectives:")
    rows = []
    for one in objectives:
        burn = {b["window"]: b["rate"] for b in one["burn"]}
        firing = [a["pair"] for a in one["alerts"] if a["firing"]]
        rows.append(
            (
                one["promise"],
                one["state"],
                _share(one["attained"])
                + ("" if one["exact"] in (True, None) else f" to {_share(one['attainedHigh'])}"),
                _share(one["budgetLeft"]),
                *(_rate(burn.get(window)) for window in ("5m", "1h", "6h", "3d")),
                age_until(one["budget"]["exhaustedAt"]),
                ", ".join(firing),
            )
        )
    titles = ("PROMISE", "STATE", "ATTAINED", "BUDGET LEFT", "BURN 5M", "1H", "6H", "3D", "USED UP IN", "ALERTS")
    print_table(titles, rows)
    for one in objectives:
        click.echo(f"  {clean(one['message'])}")


def _rate(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"


def _share(value: float | None) -> str:
    return "unknown" if value is None else percent(value)


def _events(client: Client, document: dict[str, Any]) -> None:
    metadata = document["metadata"]
    about = {"kind": document["kind"], "team": metadata["team"], "name": metadata["name"], "limit": 10}
    try:
        found = client.get("/api/v1/events", **about)["items"]
    except Problem:
        return
    if not found:
        return
    click.echo("\nEvents:")
    print_table(
        ("LAST SEEN", "TYPE", "REASON", "COUNT", "MESSAGE"),
        [
            (
                age(e.get("lastSeen")),
                e.get("type"),
                e.get("reason"),
                e.get("count", 1),
                e.get("message"),
            )
            for e in reversed(found)
        ],
    )
