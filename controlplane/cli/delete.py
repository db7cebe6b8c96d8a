"""`lamp delete`: ask for deletion of what is there now; somebody else's newer version is not deleted."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.bundle import read_bundle
from controlplane.cli.failures import NOT_FOUND, USAGE, Failure
from controlplane.cli.kinds import KINDS, Target, find_kind, parse_targets
from controlplane.cli.options import connect, find, seconds, team_option
from controlplane.cli.wait import wait_gone

# whose objects a pool may take over as they stand (docs/api/plans.md)
TAKE_OWNERSHIP = "lamplight.dev/take-ownership-from"


@click.command()
@click.argument("targets", nargs=-1, metavar="[KIND NAME... | KIND/NAME...]")
@click.option("-f", "--filename", "files", multiple=True, metavar="FILE|DIR|-", help="What the documents declare.")
@click.option("--wait", "wait", is_flag=True, help="Wait until the objects are gone.")
@click.option("--timeout", default="5m", metavar="TIME", show_default=True, help="How long to wait.")
@click.option("--ignore-not-found", is_flag=True, help="What is not there is as good as deleted.")
@click.option(
    "--cascade",
    type=click.Choice(["background", "orphan"]),
    default="background",
    show_default=True,
    help="orphan: forget it at once and leave what it owns in the cluster, as for a cluster that is no more.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, change nothing.")
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@team_option
def delete(
    targets: tuple[str, ...],
    files: tuple[str, ...],
    wait: bool,
    timeout: str,
    ignore_not_found: bool,
    cascade: str,
    dry_run: bool,
    reason: str | None,
    team: str | None,
) -> None:
    """Delete objects. A pool goes in order: routing first, then engines, then the rest."""
    limit = seconds(timeout)
    if bool(targets) == bool(files):
        raise Failure("Name objects (pool/chat), or files with -f; one of both.", USAGE)
    wanted = [(team, target) for target in parse_targets(targets)] if targets else _declared(files, team)
    missing: list[str] = []
    for of_team, target in wanted:
        client = connect(of_team)
        try:
            path, document = find(client, target)
        except Failure as failure:
            if failure.exit_code != NOT_FOUND:
                raise
            missing.append(failure.message)
            continue
        metadata = document["metadata"]
        answer = client.request(
            "DELETE",
            path,
            headers={"If-Match": f'"{metadata["uid"]}:{metadata["version"]}"'},
            query={
                "dry_run": "true" if dry_run else None,
                "reason": reason,
                "cascade": cascade if cascade != "background" else None,
            },
        )
        verb = "would be deleted" if dry_run else "deleted" if answer.status == 204 else "is being deleted"
        click.echo(f"{target} {verb}")
        if cascade == "background" and TAKE_OWNERSHIP in (metadata.get("annotations") or {}):
            click.echo(
                f"note: what {target} took over from others goes with it; --cascade=orphan leaves it running", err=True
            )
        if wait and not dry_run:
            wait_gone(client, path, metadata["uid"], target, limit)
            if answer.status != 204:
                click.echo(f"{target} deleted")
    if missing and not ignore_not_found:
        raise Failure(missing, NOT_FOUND)


def _declared(files: tuple[str, ...], team: str | None) -> list[tuple[str | None, Target]]:
    """What the documents name, the last first: a pool goes before the model that it refers to."""
    import yaml

    try:
        documents: list[Any] = [d for d in yaml.safe_load_all(read_bundle(files).text) if d is not None]
    except yaml.YAMLError as error:
        raise Failure(f"The documents cannot be read: {error}", USAGE) from None
    found: list[tuple[str | None, Target]] = []
    for document in documents:
        metadata = document.get("metadata") if isinstance(document, dict) else None
        if not isinstance(metadata, dict) or not metadata.get("name") or not document.get("kind"):
            raise Failure("A document names no kind or no metadata.name, so there is nothing to delete by it.", USAGE)
        found.append((team or metadata.get("team"), Target(find_kind(str(document["kind"])), str(metadata["name"]))))
    order = {"Webhook": 0, "SLO": 0, "Endpoint": 0, "Pool": 1, "Model": 2, "Cluster": 3}
    assert set(order) == {kind.kind for kind in KINDS}
    return sorted(found, key=lambda pair: order[pair[1].kind.kind])
