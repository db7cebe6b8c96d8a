"""`lamp preflight`: can pools live in a cluster?"""

from __future__ import annotations

import sys
from typing import Any

import click

from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_cluster, team_option
from controlplane.cli.output import clean, print_json, print_table

_MARKS = {"ok": "✔", "warning": "!", "failed": "✖", "unknown": "?"}


@click.command()
@one_cluster
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def preflight(target: Target, output: str | None, team: str | None) -> None:
    """Ask a cluster now: version, kinds, rights, accelerators, watches. Exit code 1 when pools cannot live there."""
    client = connect(team)
    path, _ = find(client, target)
    found = client.get(path + "/preflight")
    if output == "json":
        print_json(found)
    else:
        rows = [(f"{_MARKS.get(c['state'], '')} {c['name']}", c["state"], c["message"]) for c in found["checks"]]
        print_table(("CHECK", "STATE", "FINDING"), rows)
        for check in found["checks"]:
            if check["name"] != "rights":
                continue
            listed = check.get("missing", [])
            for line in _missing(listed):
                click.echo(f"  {clean(line)}")
            if (left := check.get("missingCount", 0) - len(listed)) > 0:
                click.echo(f"  … and {left} more")
    if not found["ok"]:
        sys.exit(1)


def _missing(rows: list[dict[str, Any]]) -> list[str]:
    """A line for each resource, as a rule of a Role would have it, and what is lost where pools can do without."""
    verbs: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows:
        where = f"in {row['namespace']}" if row["namespace"] else "in all namespaces"
        key = (row["resource"], row["group"] or "core", where, row.get("without") or "")
        verbs.setdefault(key, []).append(row["verb"])
    return [
        f"missing {where}: {resource} ({group}): {', '.join(asked)}" + (f" — without: {without}" if without else "")
        for (resource, group, where, without), asked in verbs.items()
    ]
