"""`lamp user`: who may come in, for administrators of the installation; and one's own password."""

from __future__ import annotations

import secrets
import sys
from pathlib import Path

import click

from controlplane.cli.client import Client
from controlplane.cli.failures import USAGE, Failure
from controlplane.cli.options import connect
from controlplane.cli.output import age, note, print_json, print_table

__all__ = ["user"]

_ROLES = ("viewer", "editor", "admin")


@click.group()
def user() -> None:
    """Users: list, make, give roles, shut out."""


@user.command("list")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
def list_(output: str | None) -> None:
    """List all users with their teams."""
    users = list(connect().items("/api/v1/users"))
    if output == "json":
        print_json({"items": users})
        return
    rows = []
    for one in users:
        teams = ", ".join(f"{team['name']} ({team['role']})" for team in one["teams"]) or "-"
        rows.append(
            (
                one["username"],
                "yes" if one["active"] else "no",
                "yes" if one["administrator"] else "no",
                teams,
                age(one["createdAt"]),
            )
        )
    print_table(("NAME", "ACTIVE", "ADMINISTRATOR", "TEAMS", "AGE"), rows)


@user.command()
@click.argument("name")
@click.option("--member", "members", multiple=True, metavar="TEAM=ROLE", help="As in search=editor; more than once.")
@click.option("--administrator", is_flag=True, help="Of the whole installation.")
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of making one.")
@click.option(
    "--token-file", type=click.Path(dir_okay=False, path_type=Path), help="A robot: no password, a token here."
)
@click.option("--lifetime", metavar="TIME", help="Of that token, as in 90d [until it is deleted].")
@click.option("--read-only", is_flag=True, help="That token may not write, whatever the roles.")
def create(
    name: str,
    members: tuple[str, ...],
    administrator: bool,
    password_stdin: bool,
    token_file: Path | None,
    lifetime: str | None,
    read_only: bool,
) -> None:
    """Make a user and give it roles in teams. A password that was made for it is printed once."""
    if token_file and (password_stdin or token_file.exists()):
        raise Failure("--token-file makes a user without a password, and a file that is not there yet.", USAGE)
    if (lifetime or read_only) and not token_file:
        raise Failure("--lifetime and --read-only are about the token of --token-file.", USAGE)
    roles = [_role(one) for one in members]
    password = None if token_file else _read_password() if password_stdin else secrets.token_urlsafe(12)
    client = connect()
    wish = {"username": name, "administrator": administrator, **({"password": password} if password else {})}
    client.send("POST", "/api/v1/users", wish)
    note(f"user {name} created")
    _give(client, name, roles)
    if token_file:
        token = {"name": token_file.name, "readOnly": read_only, **({"lifetime": lifetime} if lifetime else {})}
        made = client.send("POST", f"/api/v1/users/{name}/tokens", token)
        token_file.touch(mode=0o600, exist_ok=False)
        token_file.write_text(made["token"] + "\n")
        note(f"its token is in {token_file}")
    elif not password_stdin:
        click.echo(password)


@user.command("set")
@click.argument("name")
@click.option("--member", "members", multiple=True, metavar="TEAM=ROLE", help="As in search=editor; more than once.")
@click.option("--active/--no-active", default=None, help="Whether they may come in; no ends sessions and tokens.")
@click.option("--administrator/--no-administrator", default=None, help="Of the whole installation.")
@click.option("--password-stdin", is_flag=True, help="Another password, from stdin; ends their sessions.")
def set_(
    name: str, members: tuple[str, ...], active: bool | None, administrator: bool | None, password_stdin: bool
) -> None:
    """Change what a user may."""
    roles = [_role(one) for one in members]
    wish: dict[str, bool | str] = {}
    if active is not None:
        wish["active"] = active
    if administrator is not None:
        wish["administrator"] = administrator
    if password_stdin:
        wish["password"] = _read_password()
    if not wish and not roles:
        raise Failure("Say what is to change: lamp user set --help.", USAGE)
    client = connect()
    if wish:
        client.send("PATCH", f"/api/v1/users/{name}", wish)
        note(f"user {name} changed")
    _give(client, name, roles)


@user.command()
def password() -> None:
    """Change your own password: the present one and the new one, asked for or as two lines on stdin."""
    if sys.stdin.isatty():
        current = click.prompt("Present password", hide_input=True, err=True)
        new = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        current, new = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    connect().send("PUT", "/api/v1/session/password", {"current": current, "new": new})
    note("password changed; your other sessions have ended")


def _role(text: str) -> tuple[str, str]:
    team, _, role = text.partition("=")
    if not team or role not in _ROLES:
        raise Failure(f"--member {text}: write TEAM=ROLE, the role one of {', '.join(_ROLES)}.", USAGE)
    return team, role


def _give(client: Client, name: str, roles: list[tuple[str, str]]) -> None:
    for team, role in roles:
        client.send("PUT", f"/api/v1/teams/{team}/members/{name}", {"role": role})
        note(f"user {name} is {role} of team {team}")


def _read_password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\n")
