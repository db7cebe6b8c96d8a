"""Annotations that tie a ReplicaSet to the revision of its Deployment (what `kubectl rollout history` reads)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.embedded.controllers.domain.rollout import (
    DESIRED_ANNOTATION,
    MAX_ANNOTATION,
    REVISION_ANNOTATION,
    annotated,
)

HISTORY_ANNOTATION = "deployment.kubernetes.io/revision-history"
NOT_COPIED = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION_ANNOTATION,
        HISTORY_ANNOTATION,
        DESIRED_ANNOTATION,
        MAX_ANNOTATION,
        "deprecated.deployment.rollback.to",
    }
)
MAX_HISTORY_LENGTH = 2000


def replica_set_annotations(deployment: Mapping[str, Any], rs: Mapping[str, Any], revision: int) -> dict[str, str]:
    """The annotations of the current ReplicaSet: those of the Deployment copied, its revision raised to ``revision``.

    A ReplicaSet that becomes current again (a rollback) keeps its former revisions in the history annotation.
    """
    annotations = dict(rs["metadata"].get("annotations") or {})
    for key, value in (deployment["metadata"].get("annotations") or {}).items():
        if key not in NOT_COPIED:
            annotations[key] = value
    known = annotated(rs, REVISION_ANNOTATION)
    if known is None or known < revision:
        annotations[REVISION_ANNOTATION] = str(revision)
        if known is not None:
            history = [*filter(None, annotations.get(HISTORY_ANNOTATION, "").split(",")), str(known)]
            while len(",".join(history)) > MAX_HISTORY_LENGTH:
                history.pop(0)
            annotations[HISTORY_ANNOTATION] = ",".join(history)
    return annotations
