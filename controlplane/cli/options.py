"""Options and helpers that commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import click

from controlplane.cli import config
from controlplane.cli.client import Client
from controlplane.cli.failures import NOT_FOUND, USAGE, Failure, Problem
from controlplane.cli.kinds import SHARED_TEAM, Target, is_kind, parse_targets

__all__ = ["collection", "connect", "find", "object_path", "one_cluster", "one_pool", "seconds", "team_option"]

F = TypeVar("F", bound=Callable[..., Any])


def team_option(function: F) -> F:
    return click.option(
        "--team", metavar="TEAM", help="The team whose objects are meant (else LAMPLIGHT_TEAM, the login)."
    )(function)


def _one(kind: str) -> Callable[[F], F]:
    """The argument of a command that is about one object of one kind; the command gets a Target."""

    def read(_context: click.Context, _parameter: click.Parameter, words: tuple[str, ...]) -> Target:
        if len(words) == 1 and "/" not in words[0] and not is_kind(words[0]):
            raise Failure(f"Name its kind too: `{kind} {words[0]}`, or `{kind}/{words[0]}`.", USAGE)
        if len(words) > 1 and re.fullmatch(r"([a-z0-9-]+=)?[0-9]+", words[-1]):
            raise Failure(f"{words[-1]!r} is no name: a number goes by an option, see --help.", USAGE)
        wanted = parse_targets(words or (kind,))
        if len(wanted) != 1 or wanted[0].kind.singular != kind:
            raise Failure(f"This is about one {kind} at a time: `{kind} NAME`, or `{kind}/NAME`.", USAGE)
        return wanted[0]

    return click.argument("target", nargs=-1, metavar=f"{kind} NAME | {kind}/NAME", callback=read)


one_pool, one_cluster = _one("pool"), _one("cluster")


def connect(team: str | None = None) -> Client:
    """A client for the server that `lamp --server` or the surroundings name."""
    context = click.get_current_context()
    server = context.find_root().obj
    return Client(config.resolve(server=server if isinstance(server, str) else None, team=team))


def collection(team: str, plural: str) -> str:
    return f"/api/v1/teams/{team}/{plural}"


def object_path(team: str, target: Target) -> str:
    return f"{collection(team, target.kind.plural)}/{target.name}"


def find(client: Client, target: Target) -> tuple[str, dict[str, Any]]:
    """The object that a name means: the team's own, else the shared one; with its path. Raises Failure (not found)."""
    for team in dict.fromkeys((client.team, SHARED_TEAM)):
        path = object_path(team, target)
        try:
            return path, client.get(path)
        except Problem as problem:
            if problem.status != 404:
                raise
    raise Failure(f"There is no {target.kind.singular} named {target.name} in team {client.team}.", NOT_FOUND)


def seconds(text: str) -> float:
    """`90s`, `2m`, `1h`, `500ms` or a bare number of seconds → seconds. Raises Failure (usage)."""
    for suffix, size in (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0), ("", 1.0)):
        if text.endswith(suffix):
            try:
                value = float(text[: len(text) - len(suffix)] if suffix else text) * size
            except ValueError:
                break
            if value >= 0:
                return value
            break
    raise Failure(f"{text!r} is not a duration; write 90s, 2m or 1h.", USAGE)
