"""`lamp rollout`: how far a pool's newest spec is, and pause, resume, abort."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.kinds import Target, is_kind
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, age_until, clean, print_json, print_table


class _Asked(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Whoever names a pool and no verb asks how it stands."""
        asked = ["status", *args] if args and ("/" in args[0] or is_kind(args[0])) else args
        return super().parse_args(ctx, asked)


@click.command(cls=_Asked)
@click.argument("action", type=click.Choice(["status", "pause", "resume", "abort"]))
@one_pool
@click.option("--reason", metavar="TEXT", help="Why, for the change records.")
@click.option("--dry-run", is_flag=True, help="Only say whether it could be done.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts.")
@team_option
def rollout(
    action: str, target: Target, reason: str | None, dry_run: bool, output: str | None, team: str | None
) -> None:
    """Show how a pool's newest spec reaches its replicas; pause it, let it go on, or take it back."""
    client = connect(team)
    path, _ = find(client, target)
    if action == "status":
        found = client.get(path + "/rollout")
    else:
        query = {"dry_run": "true"} if dry_run else {}
        found = client.send("POST", path + "/rollout", {"action": action, "reason": reason or ""}, query=query)
    if output == "json":
        print_json(found)
        return
    if action != "status":
        done = {"pause": "paused", "resume": "resumed", "abort": "aborted"}[action]
        back = f": back to the spec of generation {found['abortsTo']}" if action == "abort" and dry_run else ""
        click.echo(f"{target}: the roll-out {'would be' if dry_run else 'is'} {done}{back}")
        return
    _show(found)


def _show(found: dict[str, Any]) -> None:
    reason = f" ({found['reason']})" if found["reason"] else ""
    click.echo(f"Generation {found['generation']}: {found['state']}{reason}")
    if found["message"]:
        click.echo(clean(found["message"]))
    facts = [
        ("Started", found["startedAt"] and f"{age(found['startedAt'])} ago"),
        ("Deadline", found["deadline"] and f"in {age_until(found['deadline'])}"),
        ("Finished", found["finishedAt"] and f"{age(found['finishedAt'])} ago"),
        ("Paused by", found["pausedBy"]),
        ("An abort goes back to", found["abortsTo"] and f"generation {found['abortsTo']}"),
    ]
    for title, value in facts:
        if value:
            click.echo(f"{title}: {clean(value)}")
    if found["variants"]:
        click.echo()
        rows = [
            (
                v["name"],
                f"{v['updated']}/{v['desired']}",
                v["ready"],
                v["old"],
                _strategy(v["strategy"]),
                (v.get("blamed") or {}).get("reason"),
            )
            for v in found["variants"]
        ]
        print_table(("VARIANT", "NEWEST", "READY", "OLD", "STRATEGY", "TROUBLE"), rows)


def _strategy(strategy: dict[str, Any] | None) -> str:
    if strategy is None:
        return ""
    return f"surge {strategy['maxSurge']}, unavailable {strategy['maxUnavailable']}: {strategy['why']}"
