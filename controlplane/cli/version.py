"""`lamp version`."""

from __future__ import annotations

import click

from controlplane.cli.failures import Failure
from controlplane.cli.options import connect
from controlplane.cli.output import print_json


def client_version() -> str:
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("lamplight")
    except PackageNotFoundError:
        return "unknown"


@click.command()
@click.option("--client", "client_only", is_flag=True, help="Do not ask the server.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
def version(client_only: bool, output: str | None) -> None:
    """Show the version of this command and of the server."""
    versions: dict[str, str | None] = {"client": client_version(), "server": None}
    missing: Failure | None = None
    if not client_only:
        try:
            versions["server"] = connect().get("/healthz").get("version")
        except Failure as failure:
            missing = failure
    if output == "json":
        print_json(versions)
    else:
        click.echo(f"lamp    {versions['client']}")
        if versions["server"]:
            click.echo(f"server  {versions['server']}")
    if missing is not None:
        raise missing
