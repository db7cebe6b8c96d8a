"""`lamp import`: documents for what runs in a namespace already, to be read, edited and applied."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.options import connect, team_option
from controlplane.cli.output import clean, note, print_json, to_yaml


@click.command("import")
@click.option("-n", "--namespace", required=True, metavar="NAMESPACE", help="Where to look.")
@click.option("--cluster", default="embedded", show_default=True, metavar="NAME", help="In which cluster.")
@click.option("-o", "output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@team_option
def import_(namespace: str, cluster: str, output: str, team: str | None) -> None:
    """Propose Model and Pool documents for vLLM Deployments, llm-d releases and KServe LLMInferenceServices.

    Nothing is declared or changed: save what it prints, look at `lamp diff -f FILE`, then apply it. What a document
    does not carry over is said in comments. A Deployment is adopted in place only by the annotation that names its
    managers.
    """
    client = connect(team)
    body = {"namespace": namespace, "cluster": cluster}
    items = client.send("POST", f"/api/v1/teams/{client.team}/import", body, timeout=60)["items"]
    if output == "json":
        print_json({"items": items})
        return
    for item in items:
        click.echo(_text(item), nl=False)
    if not items:
        note(f"Nothing in namespace {namespace} of cluster {cluster} runs vLLM that is not a pool's already.")


def _text(item: dict[str, Any]) -> str:
    comments = [f"# {item['source']['kind']} {clean(item['source']['name'])} ({item['via']})"]
    comments += [f"# - {clean(text)}" for text in item["notes"]]
    documents = "---\n".join(to_yaml(document) for document in item["documents"])
    return "---\n" + "\n".join(comments) + "\n" + documents
