"""`lamp verify`: the self-test of a pool's path."""

from __future__ import annotations

import time
from typing import Any

import click

from controlplane.cli.failures import REFUSED, TIMED_OUT, Failure
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, seconds, team_option
from controlplane.cli.output import clean, note, print_json, print_table

__all__ = ["verify"]

_PAUSE = 0.3


@click.command(short_help="Run the self-test of a pool's path.")
@one_pool
@click.option("--timeout", default="480s", metavar="TIME", show_default=True, help="Then exit with 124.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def verify(target: Target, timeout: str, output: str | None, team: str | None) -> None:
    """Send a request through the pool's gateway, send it again to see it hit the cache, and try what else the path has:
    hand-over from prefill to decode, adapters, waking. Exit code 1 when a check fails."""
    client = connect(team)
    path, _ = find(client, target)
    found: dict[str, Any] = client.send("POST", f"{path}/verifications", {})
    deadline = time.monotonic() + seconds(timeout)
    while found["status"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise Failure(f"The self-test has not ended within {timeout}.", TIMED_OUT)
        time.sleep(_PAUSE)
        found = client.get(f"{path}/verifications/{found['id']}")
    if output == "json":
        print_json(found)
    else:
        print_table(
            ("CHECK", "STATUS", "SECONDS", "WHAT"),
            [(row["name"], row["status"], f"{row['seconds']:.2f}", clean(row["message"])) for row in found["checks"]],
        )
        note(f"{target}, generation {found['generation']}: {found['status']}.")
    if found["status"] == "failed":
        click.get_current_context().exit(REFUSED)
