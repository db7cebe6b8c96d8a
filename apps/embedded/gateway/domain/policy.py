"""InferenceObjectives and InferenceModelRewrites of a pool: the priority of a request, and the model that serves it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["FAIRNESS_HEADERS", "GROUPS", "NO_POLICY", "OBJECTIVE_HEADERS", "Policy", "Rule", "first_of", "policy_of"]

GROUPS = ("llm-d.ai", "inference.networking.x-k8s.io")
"""Of the current release, and of 0.5. Where both say something the current one wins."""
OBJECTIVE_HEADERS = ("x-llm-d-inference-objective", "x-gateway-inference-objective")
FAIRNESS_HEADERS = ("x-llm-d-inference-fairness-id", "x-gateway-inference-fairness-id")
Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests for one of `models` (empty: for any) are served by `targets`: names with their weights."""

    models: frozenset[str]
    targets: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """`priorities`: by the name of the objective. `rules`: the first that matches holds."""

    priorities: Mapping[str, int]
    rules: tuple[Rule, ...] = ()

    def priority(self, headers: Mapping[str, str]) -> int:
        """The priority that a request's headers (lower-case names) ask for; 0 where they name no known objective."""
        name = first_of(headers, OBJECTIVE_HEADERS)
        return self.priorities.get(name, 0) if name is not None else 0

    def served_by(self, model: str, chance: float) -> str:
        """The model that serves a request for `model`, drawn by weight with `chance` in [0, 1)."""
        rule = next((rule for rule in self.rules if not rule.models or model in rule.models), None)
        if rule is None:
            return model
        at = chance * sum(weight for _, weight in rule.targets)
        for name, weight in rule.targets:
            at -= weight
            if at < 0:
                return name
        return rule.targets[-1][0]


NO_POLICY = Policy({})


def policy_of(pool: str, objectives: Iterable[Object], rewrites: Iterable[Object]) -> Policy:
    """What the objects of a namespace say about one InferencePool: the oldest rewrite first, as Gateway API has it."""
    priorities: dict[str, int] = {}
    for one in sorted(objectives, key=_age, reverse=True):
        if _of(one, pool):
            priorities[one["metadata"]["name"]] = int(one["spec"].get("priority") or 0)
    oldest = [one for one in sorted(rewrites, key=_age) if _of(one, pool)]
    rules = [_rule(rule) for one in oldest for rule in one["spec"].get("rules") or ()]
    return Policy(priorities, tuple(rule for rule in rules if rule.targets))


def _rule(rule: Object) -> Rule:
    models = frozenset(str(match["model"]["value"]) for match in rule.get("matches") or ())
    targets = tuple((str(t["modelRewrite"]), int(t.get("weight") or 1)) for t in rule.get("targets") or ())
    return Rule(models, targets)


def _of(one: Object, pool: str) -> bool:
    return bool(((one.get("spec") or {}).get("poolRef") or {}).get("name") == pool)


def _age(one: Object) -> tuple[int, str, str]:
    metadata = one["metadata"]
    group = str(one.get("apiVersion", "")).partition("/")[0]
    rank = GROUPS.index(group) if group in GROUPS else len(GROUPS)
    return rank, metadata.get("creationTimestamp", ""), metadata["name"]


def first_of(headers: Mapping[str, str], names: Sequence[str]) -> str | None:
    """The first of some headers that a request has."""
    return next((headers[name] for name in names if name in headers), None)
