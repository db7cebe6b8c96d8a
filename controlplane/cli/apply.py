"""`lamp apply`: send all documents as one bundle; it is taken as a whole or not at all."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.bundle import Bundle, read_bundle
from controlplane.cli.failures import CONFLICT, REFUSED, USAGE, Failure, Problem, sentence
from controlplane.cli.options import connect, team_option
from controlplane.cli.output import print_json


@click.command()
@click.option("-f", "--filename", "files", multiple=True, required=True, metavar="FILE|DIR|-", help="May be repeated.")
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: the server's answer.")
@team_option
def apply(files: tuple[str, ...], dry_run: bool, reason: str | None, output: str | None, team: str | None) -> None:
    """Declare what the documents in FILES say, all of it or nothing.

    A document that names no team is meant for the team of --team.
    """
    bundle = read_bundle(files)
    if not bundle.text.strip():
        raise Failure(
            f"There is no document in {', '.join('stdin' if file == '-' else file for file in files)}.", USAGE
        )
    client = connect(team)
    query = {"team": client.team, "dry_run": "true" if dry_run else None, "reason": reason}
    try:
        answer = client.request(
            "POST",
            "/api/v1/apply",
            body=bundle.text.encode(),
            content_type="application/yaml",
            query=query,
            timeout=60,
        ).json()
    except Problem as problem:
        raise explain(problem, bundle) from None
    if output == "json":
        print_json(answer)
    else:
        for item in answer["items"]:
            if "problem" not in item:
                suffix = " (dry run)" if dry_run else ""
                click.echo(f"{item['kind'].lower()}/{item['name']} {item['action']}{suffix}")
    refused = [item for item in answer["items"] if "problem" in item]
    if refused:
        statuses = {item["problem"].get("status") for item in refused}
        lines = [line for item in refused for line in _lines(item["problem"], bundle, _subject(item))]
        raise Failure(lines, CONFLICT if statuses and statuses <= {409, 412, 428} else REFUSED)


def explain(problem: Problem, bundle: Bundle) -> Failure:
    """The same failure with every sentence placed in the file that it is about."""
    document = problem.document
    items = [item for item in document.get("items") or [] if isinstance(item, dict) and "problem" in item]
    if items:
        lines = [line for item in items for line in _lines(item["problem"], bundle, _subject(item))]
    elif document.get("errors"):
        lines = _lines(document, bundle, "")
    else:
        return problem
    return Failure(lines, problem.exit_code)


def _subject(item: dict[str, Any]) -> str:
    return f"{item['kind'].lower()}/{item['name']}" if item.get("kind") and item.get("name") else ""


def _lines(document: dict[str, Any], bundle: Bundle, subject: str) -> list[str]:
    errors = document.get("errors") or [{"detail": document.get("detail") or document.get("title")}]
    return [sentence(e, place=bundle.place(e.get("line"), e.get("column")) or subject) for e in errors]
