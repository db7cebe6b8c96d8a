"""python -m controlplane.supervisor up|down|console|node-path"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from controlplane.supervisor import console_build
from controlplane.supervisor.stack import PROJECT, Options
from controlplane.supervisor.up import down as stop_instance
from controlplane.supervisor.up import up as run_instance

_data = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=PROJECT / ".lamplight",
    help="Data directory of the instance.",
    callback=lambda _ctx, _param, value: Path(value).absolute(),
)


@click.group()
def main() -> None:
    """The local instance of Lamplight."""


@main.command()
@_data
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the console; default 8080 or the next free one.")
@click.option("--engine", type=click.Choice(["sim", "vllm"]), default="sim", help="What runs as the engine.")
@click.option("--demo/--no-demo", default=True, help="Send demo traffic to the quickstart pool.")
@click.option("--steady", is_flag=True, help="A pool that people scale and even traffic, in place of the quickstart's.")
@click.option("--tiers/--no-tiers", default=True, help="With the demo: a pool whose cache gets a tier on trial.")
def up(data: Path, port: int | None, engine: str, demo: bool, steady: bool, tiers: bool) -> None:
    """Start everything in the foreground; Ctrl-C stops it."""
    options = Options(data=data, port=port, engine=engine, demo=demo, steady=steady, tiers=demo and tiers)
    sys.exit(run_instance(options))


@main.command()
@_data
def down(data: Path) -> None:
    """Stop a running instance."""
    sys.exit(stop_instance(data))


@main.command()
def console() -> None:
    """Build the console if its sources changed."""
    try:
        console_build.build_if_needed(click.echo)
    except console_build.ConsoleBuildError as error:
        raise click.ClickException(str(error)) from None


@main.command("node-path")
def node_path() -> None:
    """Print the folder of the Node that builds the console."""
    click.echo(console_build.node_path())


if __name__ == "__main__":
    main()
