"""`lamp offload`: why a pool has the KV-cache tiers that it has, its curve, and what other tiers would bring."""

from __future__ import annotations

from typing import Any

import click

from controlplane.cli.client import Client
from controlplane.cli.kinds import Target
from controlplane.cli.options import connect, find, one_pool, team_option
from controlplane.cli.output import age, clean, note, print_json, print_table

__all__ = ["offload"]

_GIB = 2**30
_BAR = 40


@click.group()
def offload() -> None:
    """KV-cache tiers of a pool: measured, decided, explained."""


@offload.command()
@one_pool
@click.option("--decision", type=click.IntRange(min=1), metavar="ID", help="This one instead of the newest.")
@click.option("--replay", is_flag=True, help="Make the decision again from its record and compare.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: what REST answers.")
@team_option
def explain(target: Target, decision: int | None, replay: bool, output: str | None, team: str | None) -> None:
    """Show why: the sentence, each tier with bandwidth and benefit, the canary, what held a change back."""
    client, path = _pool(target, team)
    standing = client.get(path)
    newest = standing.get("decision")
    number = decision or (int(newest["id"]) if newest else None)
    found = client.get(f"{path}/decisions/{number}") if number is not None else None
    if output == "json":
        print_json({**standing, "decision": found})
        return
    if found is None:
        note(f"{standing['owner']} {clean(standing['measured'].get('reason') or '')}".strip())
        _store(standing.get("store"))
        return
    click.echo(clean(found["sentence"]))
    run = f", {found['count']} times until {age(found['lastAt'])} ago" if found["count"] > 1 else ""
    click.echo(
        f"\nDecision {found['id']} ({found['verb']}), {age(found['firstAt'])} ago{run}; mode {standing['mode']}."
    )
    if found.get("actuation"):
        click.echo(clean(found["actuation"]))
    click.echo(clean(standing["owner"]))
    _measured(standing["measured"])
    _tiers(standing["tiers"])
    _canary(standing["canary"])
    _proof(standing.get("proof"))
    _store(standing.get("store"))
    if found["clamps"]:
        click.echo("\nWhat held it back:")
        rows = [(c["rule"], clean(c["before"]), clean(c["after"]), clean(c["reason"])) for c in found["clamps"]]
        print_table(("RULE", "FROM", "TO", "WHY"), rows)
    for line in found.get("advice", []):
        click.echo(f"\nAdvice: {clean(line)}")
    if replay:
        again = client.get(f"{path}/decisions/{number}/replay")
        click.echo("\nReplayed: " + ("equal." if again["equal"] else f"differs in {', '.join(again['differs'])}."))


@offload.command()
@one_pool
@click.option("--scope", type=click.Choice(["replica", "pool"]), default="replica", show_default=True)
@click.option("--class", "klass", default="", metavar="NAME", help="Only blocks of this class.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: what REST answers.")
@team_option
def curve(target: Target, scope: str, klass: str, output: str | None, team: str | None) -> None:
    """Show the hit rate by cache size, with the present size and the knee."""
    client, path = _pool(target, team)
    found = client.get(f"{path}/curve", scope=scope, **({"class": klass} if klass else {}))
    if output == "json":
        print_json(found)
        return
    if found["state"] != "ok":
        note(clean(found["reason"]))
    present, knee = found["present"], found["knee"]
    for point in found["points"][::4]:
        bar = "#" * round(_BAR * point["hitRate"])
        click.echo(f"{point['bytes'] / _GIB:10.1f} GiB {100 * point['hitRate']:5.1f} % {bar}")
    click.echo(f"\nNow {present['bytes'] / _GIB:.1f} GiB: {100 * present['hitRate']:.1f} %.", nl=False)
    click.echo(f" Knee: {clean(knee['sentence'])}." if knee else " No larger cache would pay.")
    if found.get("tiers"):
        click.echo(clean(found["tiers"]["sentence"]))
    click.echo(f"Without any limit {100 * found['ceiling']:.1f} %.", nl=False)
    times = found["reuseTime"]
    if times["p50"] is not None:
        click.echo(f" Reused after {times['p50']:.0f} s (median), {times['p95']:.0f} s (95 %).", nl=False)
    if found["oneHitShare"] is not None:
        click.echo(f" {100 * found['oneHitShare']:.0f} % of blocks are stored once and never again.", nl=False)
    click.echo("")


@offload.command("what-if")
@one_pool
@click.option("--host", metavar="SIZE", help="A host tier of this size, as 256Gi.")
@click.option("--filesystem", metavar="SIZE", help="A filesystem tier of this size.")
@click.option("-o", "output", type=click.Choice(["json"]), help="For scripts: what REST answers.")
@team_option
def what_if(target: Target, host: str | None, filesystem: str | None, output: str | None, team: str | None) -> None:
    """Show what tiers and sizes would bring; nothing is changed."""
    client, path = _pool(target, team)
    sizes = {name: size for name, size in (("host", host), ("filesystem", filesystem)) if size}
    found = client.get(f"{path}/what-if", **sizes)
    if output == "json":
        print_json(found)
        return
    if found["reason"]:
        note(clean(found["reason"]))
    print_table(
        ("", "WHAT", "FROM TOKENS", "GPU-S/H", "TTFT", "NET"),
        [
            (
                "*" if row["chosen"] else "",
                clean(row["sentence"]),
                row["minPrefixTokens"],
                f"{row['gpuSecondsPerHour']:+.0f}",
                f"{row['ttftSeconds'] * 1000:+.0f} ms",
                f"{row['gain']['amount']:+.2f} {row['gain']['currency']}/h",
            )
            for row in found["rows"]
        ],
    )


@offload.command()
@one_pool
@team_option
def probe(target: Target, team: str | None) -> None:
    """Have the bandwidth of the pool's volumes and object stores measured anew, by a Job on its nodes."""
    client, path = _pool(target, team)
    asked = client.send("POST", f"{path}/probe", {})
    note(f"Asked for {', '.join(tier['claim'] for tier in asked['tiers'])}; `lamp offload explain` shows the result.")


def _pool(target: Target, team: str | None) -> tuple[Client, str]:
    client = connect(team)
    path, _ = find(client, target)
    return client, f"{path}/offload"


def _measured(found: dict[str, Any]) -> None:
    if found.get("reason"):
        click.echo(f"Measured: {found['state']}. {clean(found['reason'])}")
    elif found["state"] != "off":
        lost = f", {found['dropped']} batches lost" if found.get("dropped") else ""
        engines = "one engine" if found["engines"] == 1 else f"{found['engines']} engines"
        click.echo(
            f"Measured from {found.get('events', 0):,} KV events of {engines} "
            f"({100 * found.get('sampleRate', 1):.0f} % of blocks sampled{lost})."
        )


def _tiers(tiers: list[dict[str, Any]]) -> None:
    click.echo("\nTiers:")
    print_table(
        ("TIER", "ON", "SIZE", "LOADS AT", "BREAK-EVEN", "HIT RATE", "SAVES", "VERDICT"),
        [
            (
                tier["kind"],
                "yes" if tier["on"] else "no",
                f"{tier['bytes'] / _GIB:.0f} GiB",
                _speed(tier.get("bytesPerSecond"), tier.get("source")),
                _speed(tier.get("breakEven"), None),
                "-" if tier.get("hitRate") is None else f"{100 * tier['hitRate']:.0f} %",
                _saves(tier.get("gain")),
                tier["verdict"],
            )
            for tier in tiers
        ],
    )
    for tier in tiers:
        if tier["verdict"] in ("refused", "not measured"):
            click.echo(clean(tier["sentence"]))
        if (tier.get("curve") or {}).get("lost"):
            click.echo(clean(tier["curve"]["sentence"]))


def _canary(found: dict[str, Any]) -> None:
    if found["state"] == "none":
        return
    click.echo(f"\nCanary on {found['variant']}: {found['state']} for {age(found['startedAt'])}.")
    rows = [(name, found[name]) for name in ("before", "after") if found.get(name)]
    print_table(
        ("", "HIT RATE", "MS PER 1,000 TOKENS", "TTFT"),
        [
            (
                {"before": "without", "after": "with"}[name],
                "-" if row["hitRate"] is None else f"{100 * row['hitRate']:.0f} %",
                f"{1000 * row['gpuSecondsPerKtok']:.1f}",
                "-" if row["ttftMean"] is None else f"{1000 * row['ttftMean']:.0f} ms",
            )
            for name, row in rows
        ],
    )


def _proof(found: dict[str, Any] | None) -> None:
    """What the last trial measured, so that it can be read long after."""
    if found is None:
        return
    sizes = " + ".join(f"{tier['kind']} {tier['bytes'] / _GIB:.0f} GiB" for tier in found["tiers"])
    verdict = "kept" if found["kept"] else "taken back"
    click.echo(f"\nTried {age(found['at'])} ago and {verdict}: {sizes}. {clean(found['sentence'])}".rstrip())


def _store(found: dict[str, Any] | None) -> None:
    """The pool's folder on its volume: how full, who keeps it, what it has brought."""
    if not found:
        return
    click.echo(f"\nVolume {clean(found['claim'])}:")
    print_table(
        ("POOL", "HOLDS", "QUOTA", "GROWS BY", "LOADED", "SAVES"),
        [
            (
                clean(pool["pool"]),
                _size(pool["usedBytes"]),
                _size(pool["quotaBytes"]),
                "-" if pool["growthBytesPerSecond"] is None else f"{pool['growthBytesPerSecond'] / 1e6:.3g} MB/s",
                "-" if not pool["worth"] else f"{pool['worth']['tokensPerHour']:,.0f} tokens/h",
                _saves(pool["worth"]),
            )
            for pool in found["pools"]
        ],
    )
    if found["otherTeams"]["pools"]:
        click.echo(f"Other teams' pools hold {_size(found['otherTeams']['usedBytes'])} of it.")
    worth, evictor = found["worth"] or {}, found["evictor"] or {}
    for line in (found["problem"], worth.get("sentence"), evictor.get("sentence"), found["quotas"]):
        if line:
            click.echo(clean(line))


def _size(value: float | None) -> str:
    return "-" if value is None else f"{value / _GIB:.3g} GiB"


def _speed(value: float | None, source: str | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e9:.3g} GB/s" + (f" ({source})" if source else "")


def _saves(gain: dict[str, Any] | None) -> str:
    return "-" if gain is None else f"{gain['gpuSecondsPerHour']:+.0f} GPU-s/h"
