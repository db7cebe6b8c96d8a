"""What the program is told on its command line."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass

_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}


@dataclass(frozen=True)
class Settings:
    """`root`: the pool's folder on the volume; `quota`: its bytes. `live`: folders in it that engines use now; empty:
    all. `ttl`: seconds after which an unused chunk goes, 0 for never. `rate`: removals a second. `purge_after`: seconds
    that a folder which is not live stays after the last write to it. `fastest`: bytes a second that engines are taken
    to begin to write with, until it is measured. `service`, `engines`: where KV events come from.
    """

    root: str
    quota: int
    live: frozenset[str] = frozenset()
    ttl: float = 0.0
    interval: float = 30.0
    rate: float = 2000.0
    purge_after: float = 900.0
    fastest: float = 2.0 * 2**30
    high: float = 0.95
    low: float = 0.85
    dry_run: bool = False
    once: bool = False
    watch: bool = True
    metrics_port: int = 0
    service: str = ""
    selector: str = ""
    namespace: str = ""
    engines: tuple[str, ...] = ()
    events_port: int = 5557


def read_settings(argv: Sequence[str]) -> Settings:
    """Parse the command line; ends the program with a sentence where it cannot be understood."""
    parser = argparse.ArgumentParser(prog="lamplight-evictor", description=__doc__)
    parser.add_argument("--root", required=True)
    parser.add_argument("--quota", required=True, type=size, help="as 500Gi")
    parser.add_argument("--live", default="", help="folders in use, by commas; all without it")
    parser.add_argument("--ttl", type=float, default=0.0, help="seconds; 0: never")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between two looks at the folder")
    parser.add_argument("--rate", type=float, default=2000.0, help="removals a second at most")
    parser.add_argument("--purge-after", type=float, default=900.0, help="seconds")
    parser.add_argument(
        "--fastest", type=size, default=2 * 2**30, help="bytes a second that a burst begins with, until it is measured"
    )
    parser.add_argument("--high", type=float, default=0.95, help="share of the quota at which eviction begins")
    parser.add_argument("--low", type=float, default=0.85, help="share of the quota at which it ends")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    parser.add_argument("--once", action="store_true", help="one pass, then end (for a CronJob)")
    parser.add_argument(
        "--no-watch", dest="watch", action="store_false", help="do not ask the kernel for what comes: looks alone"
    )
    parser.add_argument("--metrics-port", type=int, default=0, help="0: no metrics")
    parser.add_argument("--service", default="", help="headless Service of the engines")
    parser.add_argument("--selector", default="", help="labels of the engines' pods")
    parser.add_argument("--namespace", default="")
    parser.add_argument("--engines", default="", help="host:port of KV events, by commas")
    parser.add_argument("--events-port", type=int, default=5557)
    given = vars(parser.parse_args(argv))
    given["live"] = frozenset(filter(None, given["live"].split(",")))
    given["engines"] = tuple(filter(None, given["engines"].split(",")))
    settings = Settings(**given)
    if not 0 < settings.low < settings.high <= 1:
        parser.error(f"--low {settings.low} and --high {settings.high}: write 0 < low < high <= 1")
    if settings.rate <= 0 or settings.interval <= 0:
        parser.error("--rate and --interval must be above 0")
    return settings


def size(text: str) -> int:
    """Bytes of a Kubernetes quantity."""
    found = re.fullmatch(r"(\d+)(Ki|Mi|Gi|Ti|Pi|)B?", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it as 500Gi")
    return int(found[1]) * _UNITS[found[2]]
