"""Reads: loads of a pool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from apps.accounts.selectors import names_of_actors
from apps.benchmarks.domain.asking import LoadBody
from apps.benchmarks.models import LoadRun
from apps.core.domain.conditions import format_time
from apps.pools.models import Pool

__all__ = ["newest", "one", "shown"]


def newest(pool: Pool, limit: int) -> list[LoadRun]:
    """At most `limit`, newest first."""
    return list(LoadRun.objects.filter(pool=pool.uid).order_by("-created_at")[:limit])


def one(pool: Pool, load: UUID) -> LoadRun | None:
    found: LoadRun | None = LoadRun.objects.filter(pool=pool.uid, id=load).first()
    return found


def shown(runs: list[LoadRun], *, slices: bool) -> list[dict[str, Any]]:
    """As the API shows them; a list leaves out how each went over time."""
    names = names_of_actors({run.created_by for run in runs})
    return [_shown(run, names, slices) for run in runs]


def _shown(run: LoadRun, names: Mapping[str, str], slices: bool) -> dict[str, Any]:
    body = LoadBody.from_document(run.request, at="")
    measured = run.measured
    if measured is not None and not slices:
        measured = {**measured, "slices": []}
    return {
        "id": str(run.id),
        "status": run.status,
        "label": run.label,
        "message": run.message,
        "sentence": body.sentence,
        "request": run.request,
        "seconds": body.seconds,
        "generation": run.generation,
        "createdBy": names.get(run.created_by, run.created_by) or None,
        "createdAt": format_time(run.created_at),
        "startedAt": format_time(run.started_at) if run.started_at else None,
        "stopRequestedAt": format_time(run.stop_requested_at) if run.stop_requested_at else None,
        "finishedAt": format_time(run.finished_at) if run.finished_at else None,
        "readyAtStart": run.ready_at_start,
        "readyAtEnd": run.ready_at_end,
        "measured": measured,
    }
