"""`lamp login`: make a token with a name and password, or take one from a file, and keep it for other commands."""

from __future__ import annotations

import http.cookiejar
import json
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

import click

from controlplane.cli import config
from controlplane.cli.client import Client
from controlplane.cli.failures import REFUSED, USAGE, Failure, Problem
from controlplane.cli.output import note


@click.command()
@click.option("--server", metavar="URL", help="Address of the server.")
@click.option("--username", metavar="NAME", help="Log in by password (asked for, or one line on stdin).")
@click.option("--token-file", type=click.Path(dir_okay=False), help="Use the token in this file.")
@click.option("--team", metavar="TEAM", help="The team that commands are about when they name none.")
@click.pass_context
def login(
    ctx: click.Context, server: str | None, username: str | None, token_file: str | None, team: str | None
) -> None:
    """Keep a server's address and a token in the config file (0600), so that other commands find them."""
    known = config.resolve(server=server or ctx.find_root().obj)
    if username and token_file:
        raise Failure("Log in with --username or with --token-file, not with both.", USAGE)
    if token_file:
        token = _read(token_file)
    elif username:
        token = _token_by_password(known.server, username, _password())
    elif known.token:
        token = known.token
    else:
        token = _token_by_password(known.server, click.prompt("Username", err=True), _password())
    connection = config.Connection(known.server, token, team or known.team, "login")
    session = Client(connection).get("/api/v1/session")
    path = config.save({**config.load(), "server": known.server, "token": token, "team": connection.team})
    who = (session.get("user") or {}).get("username", "") if isinstance(session, dict) else ""
    note(f"Logged in to {known.server}{' as ' + who if who else ''}; kept in {path}.")


def _read(name: str) -> str:
    try:
        token = Path(name).read_text().strip()
    except OSError as error:
        raise Failure(f"{name} cannot be read: {error.strerror}.", USAGE) from None
    if not token:
        raise Failure(f"{name} is empty; it should hold a token.", USAGE)
    return token


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, err=True))
    return sys.stdin.readline().rstrip("\n")


class _Session(Client):
    """A browser's way in: a session cookie, and its CSRF token in a header."""

    def __init__(self, server: str) -> None:
        super().__init__(config.Connection(server, "", "", ""))
        self.jar = http.cookiejar.CookieJar()
        self._opener.add_handler(urllib.request.HTTPCookieProcessor(self.jar))

    def post(self, path: str, document: dict[str, Any]) -> Any:
        csrf = next((cookie.value for cookie in self.jar if cookie.name == "csrftoken"), None) or ""
        headers = {"X-CSRFToken": csrf, "Referer": self.server + "/"}
        return self.request("POST", path, body=json.dumps(document).encode(), headers=headers).json()


def _token_by_password(server: str, username: str, password: str) -> str:
    session = _Session(server)
    try:
        session.get("/api/v1/session")  # sets the CSRF cookie
    except Problem as problem:
        if problem.status not in (401, 403):
            raise
    try:
        session.post("/api/v1/session", {"username": username, "password": password})
    except Problem as problem:
        if problem.status in (400, 401, 403):
            detail = problem.document.get("detail") or "The name or the password is wrong."
            raise Failure(str(detail), REFUSED) from None
        raise
    made = session.post("/api/v1/tokens", {"name": f"lamp on {socket.gethostname()}"})
    token = made.get("token") if isinstance(made, dict) else None
    if not token:
        raise Failure("The server made no token; make one in the console and use `lamp login --token-file`.", REFUSED)
    return str(token)
