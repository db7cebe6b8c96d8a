"""Which server, which token, which team: flags, then environment, then the config file, then a local instance."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controlplane.cli.failures import USAGE, Failure

__all__ = ["Connection", "config_path", "find_local_state", "load", "resolve", "save"]


@dataclass(frozen=True)
class Connection:
    """`server`: base URL, no slash at its end; `token`: bearer token or ""; `source`: what named the server."""

    server: str
    token: str
    team: str
    source: str


def config_path() -> Path:
    if named := os.environ.get("LAMPLIGHT_CONFIG"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "lamplight" / "config.json"


def load() -> dict[str, Any]:
    """The config file; {} where there is none. Raises Failure when it is not JSON."""
    return _read_json(config_path())


def save(values: dict[str, Any]) -> Path:
    """Write the config file, readable by its owner only; the old one stays whole until the new one is complete."""
    path = config_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(values, out, indent=2)
        out.write("\n")
    draft.replace(path)
    return path


def resolve(*, server: str | None = None, team: str | None = None) -> Connection:
    """Raises Failure (usage) when nothing names a server."""
    config = load()
    token = os.environ.get("LAMPLIGHT_TOKEN", "")
    team = team or os.environ.get("LAMPLIGHT_TEAM") or config.get("team") or "default"
    for url, source in ((server, "--server"), (os.environ.get("LAMPLIGHT_SERVER"), "LAMPLIGHT_SERVER")):
        if url:
            known = config.get("token", "") if _same(url, config.get("server")) else ""
            return Connection(_clean(url), token or known or _local_token(url), team, source)
    if config.get("server"):
        return Connection(_clean(config["server"]), token or config.get("token", ""), team, str(config_path()))
    if state := find_local_state():
        return Connection(_clean(state["web"]), token or _read_token(state), team, "the instance in .lamplight")
    raise Failure(
        "No server is known. Start one here with `make up`, or name one: `lamp login --server URL`, LAMPLIGHT_SERVER.",
        USAGE,
    )


def find_local_state() -> dict[str, Any] | None:
    """state.json of the instance whose data directory is LAMPLIGHT_DATA, or .lamplight here or in a directory above."""
    if named := os.environ.get("LAMPLIGHT_DATA"):
        places = [Path(named)]
    else:
        here = Path.cwd()
        places = [directory / ".lamplight" for directory in (here, *here.parents)]
    for place in places:
        state = _read_json(place / "state.json")
        if state.get("web"):
            return state
    return None


def _local_token(url: str) -> str:
    state = find_local_state()
    return _read_token(state) if state and _same(url, state["web"]) else ""


def _read_token(state: dict[str, Any]) -> str:
    try:
        return Path(state["tokenFile"]).read_text().strip()
    except (KeyError, OSError):
        return ""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except ValueError as error:
        raise Failure(f"{path} is not JSON ({error}). Mend it, or remove it and log in again.", USAGE) from None
    return value if isinstance(value, dict) else {}


def _clean(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise Failure(f"{url!r} is not a server address; it begins with http:// or https://.", USAGE)
    return url.rstrip("/")


def _same(url: str, other: object) -> bool:
    return isinstance(other, str) and url.rstrip("/") == other.rstrip("/")
