"""Canary against stable: which engine pods of a variant are newer than others of it that still run beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from apps.pools.domain.tiers.canary import CANARY

__all__ = ["TRACK", "TRACKS", "Track", "canaries"]

Track = Literal["canary", "stable"]
TRACKS: tuple[str, ...] = get_args(Track)
# rows of signals of one track have this and its name in the place of the variant's
TRACK = "track:"
# what controllers write on pods of one template
_TEMPLATES = ("pod-template-hash", "leaderworkerset.sigs.k8s.io/template-revision-hash")


def canaries(pods: Sequence[Mapping[str, Any]]) -> frozenset[str]:
    """Uids of those of a variant's living pods that are tried beside others: on trial by their label, as long as there
    are others that are told other arguments (one that was kept stays), else of the template whose first pod is the
    youngest. Empty where all are alike: there is nothing to compare with."""
    others = [pod for pod in pods if CANARY not in _labels(pod)]
    usual = [_arguments(pod) for pod in others]
    tried = {_uid(p) for p in pods if CANARY in _labels(p) and any(_arguments(p) != one for one in usual)}
    if tried:
        return frozenset(tried)
    templates: dict[str, list[Mapping[str, Any]]] = {}
    for pod in others:
        templates.setdefault(_template(pod), []).append(pod)
    if len(templates) < 2:
        return frozenset()
    newest = max(templates.values(), key=lambda alike: min(_created(pod) for pod in alike))
    return frozenset(_uid(pod) for pod in newest)


def _arguments(pod: Mapping[str, Any]) -> list[Any]:
    return [container.get("args") for container in (pod.get("spec") or {}).get("containers") or []]


def _template(pod: Mapping[str, Any]) -> str:
    labels = _labels(pod)
    return next((labels[name] for name in _TEMPLATES if name in labels), "")


def _created(pod: Mapping[str, Any]) -> str:
    # RFC 3339 in UTC and whole seconds: in the order of time as text; by name within one second
    return f"{pod['metadata'].get('creationTimestamp', '')} {pod['metadata']['name']}"


def _uid(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["uid"])


def _labels(pod: Mapping[str, Any]) -> Mapping[str, str]:
    return pod["metadata"].get("labels") or {}
