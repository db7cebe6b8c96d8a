"""`lamp`: declare, look and wait, from a shell. Each command has its own module, imported when it is called."""

from __future__ import annotations

from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword

import click

__all__ = ["cli", "main"]

# command -> module of this package, and the line that `lamp --help` shows without importing it
_COMMANDS: dict[str, tuple[str, str]] = {
    "apply": ("apply", "Declare what the files say (all of it or nothing)."),
    "approve": ("approve", "Apply a stored plan, or approve the change that waits."),
    "delete": ("delete", "Delete objects."),
    "describe": ("describe", "Show one object in full: conditions, replicas, events."),
    "diff": ("diff", "Show what applying files would change; exit code 1 when something does."),
    "events": ("events", "Show what happened."),
    "explain": ("explain", "Show why a pool has the replicas that it has."),
    "export": ("export", "Print all declarations of a team, as apply takes them."),
    "get": ("get", "List objects, or show one."),
    "history": ("history", "List the specs that a pool has had, and compare them."),
    "integrity": ("integrity", "Show whether every loop that reads a pool is fed."),
    "import": ("importing", "Propose documents for what runs in a namespace already."),
    "load": ("load", "Play traffic against a pool and report latencies."),
    "logs": ("logs", "Show the newest log lines of a pool's container."),
    "login": ("login", "Keep a server's address and a token."),
    "migrate": ("migrate", "Show a pool as another llm-d release would have it."),
    "offload": ("offload", "Show a pool's KV-cache tiers: why, the curve, what others would bring."),
    "plan": ("plan", "Make a plan of files or pools, and keep it."),
    "preflight": ("preflight", "Ask a cluster whether pools can live there."),
    "replay": ("replay", "Make a stored decision again and compare."),
    "rollback": ("rollback", "Declare an earlier spec of a pool anew."),
    "rollout": ("rollout", "Show, pause, resume or abort a pool's roll-out."),
    "route": ("route", "Show why requests of a pool go to which replica."),
    "scale": ("scale", "Set the replica target of a pool's variant."),
    "simulate": ("simulate", "Play a trace or a pool's history through policies, in virtual time."),
    "tree": ("tree", "Show a pool's objects down to containers, and events."),
    "user": ("user", "List and make users, give them roles, shut them out."),
    "verify": ("verify", "Run the self-test of a pool's path."),
    "version": ("version", "Show the version of this command and of the server."),
    "wait": ("wait", "Wait for a condition of an object, or for its deletion."),
}


class _Group(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            close = get_close_matches(cmd_name, _COMMANDS, n=1)
            if close and not ctx.resilient_parsing:
                raise click.UsageError(f"No such command {cmd_name!r}; did you mean {close[0]}?", ctx)
            return None
        module = import_module(f"controlplane.cli.{_COMMANDS[cmd_name][0]}")
        command = getattr(module, cmd_name + "_" * iskeyword(cmd_name))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in sorted(_COMMANDS)])


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--server", metavar="URL", help="Address of the server (else LAMPLIGHT_SERVER, the login, .lamplight).")
@click.pass_context
def cli(ctx: click.Context, server: str | None) -> None:
    """Lamplight from the command line: declare models, pools and SLOs, and see what became of them."""
    ctx.obj = server


def main() -> None:
    cli(prog_name="lamp")


if __name__ == "__main__":
    main()
