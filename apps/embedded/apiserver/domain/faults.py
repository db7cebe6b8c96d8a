"""Scripted faults: which requests go wrong, and how. Only tests set them (`--faults`).

A script is a list of rules; a request takes the first rule that matches it and is not used up:

    {"verbs": ["patch"], "resources": ["deployments"], "name": "web", "skip": 1, "times": 2, "fault": "reset"}

`verbs`, `resources` (plural, with the subresource after a slash), `name` and `namespace` match everything when left
out; `skip` lets so many matching requests pass first; `times` (1) is how often it strikes, 0 for always. `fault` is one
of FAULTS; `seconds` (Retry-After, how long a stall lasts), `slots` (stalls of so many requests at once, as of a server
that can do no more; rules of the same number share them, 0: all at once) and `count` (watch events) belong to some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.embedded.apiserver.domain.status import MODIFIED, ApiError, Cause, forbidden

REFUSALS = (
    "conflict", "already-exists", "apply-conflict", "gone", "throttled", "internal", "unavailable", "forbidden",
    "admission", "terminating",
)  # fmt: skip
TRANSPORT = ("reset", "stall", "lost-answer", "not-served")
WATCH = ("drop-events", "duplicate-events", "break-watch", "expire-watch")
FAULTS = frozenset({*REFUSALS, *TRANSPORT, *WATCH})
_KEYS = frozenset({"verbs", "resources", "name", "namespace", "skip", "times", "fault", "seconds", "slots", "count"})


@dataclass
class Rule:
    """One line of a script, with how often it matched and struck so far."""

    fault: str
    verbs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    name: str = ""
    namespace: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 1.0
    slots: int = 0
    count: int = 1
    matched: int = 0
    struck: int = 0

    def matches(self, verb: str, resource: str, namespace: str, name: str) -> bool:
        return (
            (not self.verbs or verb in self.verbs)
            and (not self.resources or resource in self.resources)
            and self.name in ("", name)
            and self.namespace in ("", namespace)
        )

    @property
    def is_spent(self) -> bool:
        return self.times > 0 and self.struck >= self.times


@dataclass
class Faults:
    """The script in force."""

    rules: list[Rule] = field(default_factory=list)

    def take(self, verb: str, resource: str, namespace: str, name: str) -> Rule | None:
        """The rule that this request falls under, counted as struck; None when it goes its way."""
        for rule in self.rules:
            if rule.is_spent or not rule.matches(verb, resource, namespace, name):
                continue
            rule.matched += 1
            if rule.matched > rule.skip:
                rule.struck += 1
                return rule
        return None

    def show(self) -> list[dict[str, Any]]:
        return [{"fault": rule.fault, "matched": rule.matched, "struck": rule.struck} for rule in self.rules]


def read_script(document: object) -> Faults:
    """The faults of a script (parsed JSON). ValueError says which rule cannot be used and why."""
    if not isinstance(document, Sequence) or isinstance(document, str):
        raise ValueError("a fault script is a list of rules")
    return Faults([_rule(position, entry) for position, entry in enumerate(document)])


def _rule(position: int, entry: object) -> Rule:
    where = f"rule {position}"
    if not isinstance(entry, Mapping):
        raise ValueError(f"{where}: write an object with at least a fault")
    unknown = sorted(entry.keys() - _KEYS)
    if unknown:
        raise ValueError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(_KEYS))}")
    if entry.get("fault") not in FAULTS:
        raise ValueError(f"{where}: unknown fault {entry.get('fault')!r}; known are {', '.join(sorted(FAULTS))}")
    lists = {key: tuple(entry.get(key) or ()) for key in ("verbs", "resources")}
    return Rule(**{**{key: value for key, value in entry.items() if key not in lists}, **lists})


def refusal(rule: Rule, group: str, plural: str, name: str) -> ApiError:
    """What a rule of REFUSALS answers, as a real server words it."""
    details = {"name": name, "group": group, "kind": plural}
    match rule.fault:
        case "conflict":
            why = f'Operation cannot be fulfilled on {_named(group, plural)} "{name}": {MODIFIED}'
            return ApiError(409, "Conflict", why, details)
        case "already-exists":
            return ApiError(409, "AlreadyExists", f'{_named(group, plural)} "{name}" already exists', details)
        case "apply-conflict":
            clash = {"reason": "FieldManagerConflict", "message": 'conflict with "kubectl" using v1', "field": ".spec"}
            why = 'Apply failed with 1 conflict: conflict with "kubectl" using v1: .spec'
            return ApiError(409, "Conflict", why, {"causes": [clash]})
        case "gone":
            return ApiError(410, "Expired", "The provided continue parameter is too old", None)
        case "throttled":
            error = ApiError(
                429, "TooManyRequests", "the server has received too many requests and has asked us to try again later",
                {"retryAfterSeconds": max(1, round(rule.seconds))},
            )  # fmt: skip
            error.headers["Retry-After"] = str(max(1, round(rule.seconds)))
            return error
        case "internal":
            why = "Internal error occurred: etcdserver: request timed out"
            return ApiError(500, "InternalError", why, {"causes": [{"message": "etcdserver: request timed out"}]})
        case "unavailable":
            return ApiError(503, "ServiceUnavailable", "apiserver is shutting down", None)
        case "forbidden":
            why = f'User "lamplight" cannot change resource "{plural}" in API group "{group}"'
            return forbidden(group, plural, name, why)
        case "admission":
            why = f'admission webhook "policy.example.com" denied the request: {plural} "{name}" breaks a rule'
            return ApiError(400, "BadRequest", why, None)
    cause = Cause("NamespaceTerminating", "namespace is being terminated", "metadata.namespace")
    why = "unable to create new content in namespace because it is being terminated"
    return forbidden(group, plural, name, why, [cause])


def _named(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural
