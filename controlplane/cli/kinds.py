"""The kinds as people type them, and the columns of their tables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from controlplane.cli.failures import USAGE, Failure

__all__ = [
    "KINDS",
    "SHARED_TEAM",
    "Column",
    "Kind",
    "Target",
    "find_kind",
    "is_kind",
    "parse_target",
    "parse_targets",
    "percent",
]

# where what all teams share is declared; a name is looked up there after one's own team
SHARED_TEAM = "platform"


@dataclass(frozen=True)
class Column:
    title: str
    value: Callable[[dict[str, Any]], Any]
    wide: bool = False


@dataclass(frozen=True)
class Kind:
    kind: str
    plural: str
    short: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def singular(self) -> str:
        return self.kind.lower()

    @property
    def words(self) -> tuple[str, ...]:
        """What people may type for it."""
        return (self.singular, self.plural, *self.short)


@dataclass(frozen=True)
class Target:
    """An object as it is typed: `pool/chat`."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.singular}/{self.name}"


def _at(*path: str) -> Callable[[dict[str, Any]], Any]:
    def value(document: dict[str, Any]) -> Any:
        here: Any = document
        for key in path:
            here = here.get(key) if isinstance(here, dict) else None
        return here

    return value


def condition(document: dict[str, Any], type_: str) -> dict[str, Any]:
    """The condition of a type, {} when it has not been reported."""
    conditions = (document.get("status") or {}).get("conditions") or []
    return next((c for c in conditions if c.get("type") == type_), {})


def _ready(document: dict[str, Any]) -> str:
    found = condition(document, "Ready")
    return found.get("status", "") or "Unknown"


def _why(document: dict[str, Any]) -> str:
    found = condition(document, "Ready")
    return "" if found.get("status") == "True" else str(found.get("reason", ""))


def _replicas(document: dict[str, Any]) -> str:
    replicas = (document.get("status") or {}).get("replicas") or {}
    if not {"ready", "desired"} <= replicas.keys():
        return ""
    asleep = replicas.get("asleep", 0)
    awake = f"{replicas['ready'] - asleep}/{replicas['desired']}"
    return f"{awake} ({asleep} asleep)" if asleep else awake


def _accelerators(document: dict[str, Any]) -> str:
    variants = (document.get("spec") or {}).get("variants") or []
    return ", ".join(dict.fromkeys(v.get("accelerator") or "cpu" for v in variants))


def _target(document: dict[str, Any]) -> str:
    """What an SLO is about, as it is named on the command line: `pool/chat`."""
    ref = (document.get("spec") or {}).get("targetRef") or {}
    return f"{ref.get('kind', 'Pool').lower()}/{ref['name']}" if ref.get("name") else ""


def _objectives(document: dict[str, Any]) -> str:
    objectives = (document.get("spec") or {}).get("objectives") or []
    return ", ".join(
        f"{o.get('metric')} {o.get('fraction')}" + (f" ≤ {o['threshold']}" if o.get("threshold") else "")
        for o in objectives
    )


def _of_worst(figure: str) -> Callable[[dict[str, Any]], str]:
    """A share of the objective that speaks for an SLO, as a percentage; "" where it is not known."""

    def value(document: dict[str, Any]) -> str:
        share = ((document.get("status") or {}).get("summary") or {}).get(figure)
        return "" if share is None else percent(share)

    return value


def percent(share: float) -> str:
    """As people write it; a budget that is overspent many times has no decimals and no exponent."""
    return f"{share * 100:.4g}%" if abs(share) < 10 else f"{share * 100:.0f}%"


def _public_models(document: dict[str, Any]) -> str:
    return ",".join(str(model["name"]) for model in document["spec"]["models"])


_READY = (Column("READY", _ready), Column("REASON", _why))

KINDS: tuple[Kind, ...] = (
    Kind(
        "Pool",
        "pools",
        ("po",),
        (
            Column("SYNC", _at("status", "sync")),
            Column("HEALTH", _at("status", "health")),
            Column("REPLICAS", _replicas),
            Column("MODEL", _at("spec", "model")),
            Column("CLUSTER", _at("spec", "cluster")),
            Column("REASON", _why),
            Column("NAMESPACE", _at("spec", "namespace"), wide=True),
            Column("PATH", _at("spec", "path"), wide=True),
            Column("ACCELERATORS", _accelerators, wide=True),
            Column("ENDPOINT", _at("status", "endpoint"), wide=True),
        ),
    ),
    Kind(
        "Model",
        "models",
        ("mo",),
        (Column("SOURCE", _at("spec", "source")), Column("SERVED AS", _at("spec", "servedName"))),
    ),
    Kind("Cluster", "clusters", ("cl",), (*_READY, Column("DIALECT", _at("spec", "dialect")))),
    Kind(
        "SLO",
        "slos",
        (),
        (
            Column("TARGET", _target),
            Column("STATE", _at("status", "state")),
            Column("ATTAINED", _of_worst("attained")),
            Column("BUDGET LEFT", _of_worst("budgetLeft")),
            Column("OBJECTIVES", _objectives),
            Column("MEASURED AT", _at("status", "measuredAt"), wide=True),
            Column("BURN RATE 1H", _at("status", "summary", "burnRate"), wide=True),
        ),
    ),
    Kind(
        "Endpoint",
        "endpoints",
        ("ep",),
        (*_READY, Column("MODELS", _public_models), Column("ENDPOINT", _at("status", "endpoint"), wide=True)),
    ),
    Kind("Webhook", "webhooks", ("wh",), (*_READY, Column("URL", _at("spec", "url")))),
)


def is_kind(word: str) -> bool:
    return any(word.lower() in kind.words for kind in KINDS)


def find_kind(word: str) -> Kind:
    """Pool, pools, POOL, po → the kind. Raises Failure (usage) naming those there are."""
    lower = word.lower()
    for kind in KINDS:
        if lower in kind.words:
            return kind
    close = get_close_matches(lower, [name for kind in KINDS for name in kind.words], n=1)
    meant = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(kind.plural for kind in KINDS)}."
    raise Failure(f"There is no kind {word!r}{meant}", USAGE)


def parse_target(word: str) -> Target:
    """`pool/chat` → the target."""
    kind, slash, name = word.partition("/")
    if not slash or not name:
        raise Failure(f"{word!r} does not name an object; write KIND/NAME, such as pool/chat.", USAGE)
    return Target(find_kind(kind), name)


def parse_targets(words: tuple[str, ...]) -> list[Target]:
    """`pool/chat slo/fast`, or `pool chat other` → targets."""
    if not words:
        raise Failure("Name an object: KIND NAME or KIND/NAME.", USAGE)
    if "/" in words[0]:
        return [parse_target(word) for word in words]
    kind = find_kind(words[0])
    if len(words) == 1:
        raise Failure(f"Name a {kind.singular}: `{words[0]} NAME`, or `{kind.singular}/NAME`.", USAGE)
    return [Target(kind, word) for word in words[1:]]
