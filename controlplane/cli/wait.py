"""`lamp wait`: until a condition of an object holds on its newest generation, or until the object is gone."""

from __future__ import annotations

import time
from typing import Any

import click

from controlplane.cli.client import Client
from controlplane.cli.failures import NOT_FOUND, TIMED_OUT, USAGE, Failure, Problem, Unreachable
from controlplane.cli.kinds import Target, condition, parse_targets
from controlplane.cli.options import connect, find, seconds, team_option

_FIRST_PAUSE, _LAST_PAUSE = 0.25, 2.0


@click.command()
@click.argument("targets", nargs=-1, metavar="KIND NAME... | KIND/NAME...")
@click.option("--for", "goal", required=True, metavar="condition=TYPE[=STATUS]|delete", help="What to wait for.")
@click.option("--timeout", default="60s", metavar="TIME", show_default=True, help="Then exit with 124.")
@team_option
def wait(targets: tuple[str, ...], goal: str, timeout: str, team: str | None) -> None:
    """Wait for a condition of objects on their newest generation, or for their deletion.

    Exit code 124 when the time runs out; stderr says how far it was.
    """
    limit = seconds(timeout)
    type_, status = _goal(goal)
    client = connect(team)
    deadline = time.monotonic() + limit
    for target in parse_targets(targets):
        if type_ is None:
            try:
                path, document = find(client, target)
            except Failure as failure:
                if failure.exit_code != NOT_FOUND:
                    raise
                click.echo(f"{target} deleted")
                continue
            wait_gone(client, path, document["metadata"]["uid"], target, max(0.0, deadline - time.monotonic()))
            click.echo(f"{target} deleted")
        else:
            path, _ = find(client, target)
            _wait_condition(client, path, target, type_, status, deadline, limit)
            click.echo(f"{target} condition met")


def _goal(text: str) -> tuple[str | None, str]:
    if text == "delete":
        return None, ""
    word, _, rest = text.partition("=")
    type_, _, status = rest.partition("=")
    if word != "condition" or not type_:
        raise Failure(
            f"{text!r} is nothing to wait for; write condition=Ready, condition=Ready=False or delete.", USAGE
        )
    return type_, (status or "True").capitalize()


def _wait_condition(
    client: Client, path: str, target: Target, type_: str, status: str, deadline: float, limit: float
) -> None:
    last = "nothing has been reported yet"
    pause = _FIRST_PAUSE
    while True:
        try:
            document = client.get(path)
        except Unreachable as failure:
            last = failure.message  # a restart of the server is no reason to give up before the deadline
        else:
            found = condition(document, type_)
            if _holds(found, status, document):
                return
            if found:
                last = f"{type_} is {found.get('status')}: {found.get('message') or found.get('reason')}"
            elif known := [str(c.get("type")) for c in (document.get("status") or {}).get("conditions") or []]:
                last = f"it reports no condition {type_}, but {', '.join(known)}"
        pause = _sleep(pause, deadline, f"{target} did not reach {type_}={status} within {limit:g} s; {last}")


def _holds(found: dict[str, Any], status: str, document: dict[str, Any]) -> bool:
    observed = found.get("observedGeneration")
    current = document["metadata"].get("generation")
    return found.get("status") == status and (observed is None or current is None or observed >= current)


def wait_gone(client: Client, path: str, uid: str, target: Target, limit: float) -> None:
    """Until the object with this uid is not at this path. Raises Failure with exit code 124."""
    deadline = time.monotonic() + limit
    pause = _FIRST_PAUSE
    last = ""
    while True:
        try:
            document = client.get(path)
        except Problem as problem:
            if problem.status == 404:
                return
            raise
        except Unreachable as failure:
            last = failure.message
        else:
            if document["metadata"]["uid"] != uid:
                return
            last = condition(document, "Ready").get("message", "")
        pause = _sleep(pause, deadline, f"{target} was not gone within {limit:g} s. {last}".rstrip())


def _sleep(pause: float, deadline: float, sentence: str) -> float:
    """Pause within the deadline; the next pause. Raises Failure with exit code 124 when the time is up."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise Failure(sentence, TIMED_OUT)
    time.sleep(min(pause, left))
    return min(pause * 1.5, _LAST_PAUSE)
